"""The questions of notebook 01."""

from helpers.explorers.quiz import choose, match, right, wrong

QUESTIONS = [
    match(
        "Which word is meant?",
        ("token", "a piece of text with a number of its own", "It may be a word, a part of one, a sign, or a few bytes."),
        ("vocabulary", "the numbered list of all pieces", "It is fixed when the tokenizer is trained."),
        ("tokenizer", "what turns text into numbers and back", "It stands before the model and behind it."),
        ("corpus", "the text from which something is learned", "What it has much of becomes short."),
    ),
    choose(
        "BPE is in the middle of its training. Which pair does it merge next?",
        wrong(
            "the one that makes a real word",
            "It knows no words. That many merges end as words is a result: words are what comes again and again.",
        ),
        right(
            "the one that occurs most often at this moment",
            "Counted anew after each merge, for every merge makes new neighbours.",
        ),
        wrong(
            "the one that occurred most often in the original text",
            "Only the first time. After that there are new ids, and their pairs have to be counted.",
        ),
        wrong("the longest one", "Length plays no part. Long tokens come late, because they are built from shorter ones."),
    ),
    choose(
        "A byte-level BPE was trained on English stories. Now it gets a word in Hindi. What comes out?",
        wrong(
            "an unknown token",
            "That is what a list of words would give. Byte-level BPE has every byte in its vocabulary.",
        ),
        wrong("nothing: it is left out", "Then decoding couldn't bring it back, and it does."),
        right(
            "many tokens, each only one byte or a few",
            "Every text in UTF-8 is made of bytes, but no merge was learned that would make this one shorter.",
        ),
        wrong("the English word with the same meaning", "A tokenizer has no idea of meaning. It cuts, and nothing else."),
    ),
    choose(
        "The same question takes four times as many tokens in Hindi as in English, in GPT-4's tokenizer. Why?",
        wrong(
            "a letter of Hindi has three bytes",
            "It does, but bytes are only the beginning. GPT-4o begins with the same bytes and ends with as few tokens "
            "as in English.",
        ),
        right(
            "its corpus held little Hindi, so few merges were learned for it",
            "What the corpus has much of gets merges, and merges make it short.",
        ),
        wrong("Hindi needs more words to say it", "It is three words in both. It is the words that are cut into more pieces."),
        wrong(
            "Hindi is harder for a model to understand",
            "Understanding comes after tokens. It may suffer from such pieces, but it doesn't cause them.",
        ),
    ),
    choose(
        "You double the number of merges. What do you get?",
        wrong(
            "texts half as long",
            "The curve in part 4 flattens out: the first merges are the most frequent, and later ones help less and less.",
        ),
        wrong("a model that knows twice as many words", "A token is a number, not knowledge. What it is like must be learned."),
        right(
            "texts that are somewhat shorter, and a longer table in the model",
            "Every entry of the vocabulary is one more row that has to be kept and trained.",
        ),
        wrong("longer texts", "A merge writes two tokens as one. No text gets longer by it."),
    ),
    choose(
        "You encode “Café in Paris” and decode the ids again. Where do you get another text back?",
        wrong("GPT-4o's tokenizer", "Its tokens are bytes that are joined again: exactly what went in comes out."),
        wrong("the BPE that you trained on Tinytown", "It never saw an é, and still brings it back, byte by byte."),
        right(
            "MiniLM's WordPiece",
            "It lowers capitals and drops accents before it cuts. It is made for comparing texts, not for writing them.",
        ),
    ),
    choose(
        "You make ids with GPT-4o's tokenizer, and give them to Llama 3. What does it read?",
        wrong("the same text", "An id is a place in one list. Another list has something else in that place."),
        right(
            "another text, without any sense",
            "Each id is looked up in Llama's own vocabulary. A model and its tokenizer belong together.",
        ),
        wrong("the same words in another order", "The order is what stays. The pieces are others."),
        wrong("an error message", "There is none, as long as the ids are not too large. It just reads nonsense."),
    ),
    choose(
        "A user types <|end|>, which is the name of a special token. What should become of it?",
        wrong("the special token", "Then anybody could end the text, or speak in the place of the assistant."),
        right(
            "ordinary tokens, sign by sign",
            "Special tokens come from the program. What a person types is text.",
        ),
        wrong("nothing: it should be taken out", "Then nobody could ask what it means. As plain text it does no harm."),
    ),
]  # fmt: skip
