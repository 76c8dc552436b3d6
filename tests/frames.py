"""What has been drawn: explorers draw with the browser's next frame, which comes late on a busy machine."""

TWO_FRAMES = (
    "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
)


def drawn(page):
    """Waits until everything is drawn that was asked for before; for a page of `sync_playwright`."""
    page.evaluate(TWO_FRAMES)
