"""The questions of notebook 03."""

from helpers.explorers.quiz import choose, match, right, wrong

QUESTIONS = [
    choose(
        "Attention without positions and without a mask reads “Dog chases Cat” and then “Cat chases Dog”. What is different?",
        wrong(
            "nothing: both come out the same, number by number",
            "Nearly. The same three vectors come out, but each one stands where its word stands.",
        ),
        right(
            "only the places: every word gets the same vector in both, wherever it stands",
            "A weighted mean doesn't care about the order of what it adds up. So “chases” can't know who chases whom.",
        ),
        wrong(
            "the vector of “chases”, since it has another word before it",
            "It would have to know which word is before it. Without positions it has only the set of all words.",
        ),
        wrong(
            "everything, since the ids come in another order",
            "The order of the ids decides the order of what comes out. Each vector by itself is the same.",
        ),
    ),
    choose(
        "A GPT that was trained without any positions can still learn something of the order of its words. Where from?",
        wrong(
            "from the embeddings: a word has another row at the beginning of a text",
            "A word has the same row everywhere. The order must come from somewhere else.",
        ),
        wrong(
            "from the tokenizer, which numbers the words in their order",
            "An id is the same wherever the word stands. It says which word it is, and not where.",
        ),
        wrong(
            "from the dot products, which count earlier words more",
            "A dot product compares two vectors, and neither of them says where it stands.",
        ),
        right(
            "from the causal mask: each word sees another set of words, only those before it",
            "The first word sees one word, the next one two. How many there are leaks through, and layers can build on it.",
        ),
    ),
    match(
        "Which kind of positions is meant?",
        ("sinusoids", "a fixed table of waves, added to the vectors", "A formula gives every row, however long the text."),
        ("learned table", "a row for each position, found by training", "It ends with the last position that was trained."),
        ("rotary", "queries and keys turned, pair by pair", "Nothing is added: an angle carries the position."),
        ("ALiBi", "scores made lower, the farther back a word stands", "No vector is touched, only the scores."),
    ),
    choose(
        "In the table of sinusoids, which dimensions turn fast?",
        right(
            "the first ones",
            "The exponent grows from left to right, and with it what the position is divided by. The last pairs hardly move.",
        ),
        wrong(
            "the last ones",
            "There the position is divided by a large number, nearly the base itself, so they turn slowest of all.",
        ),
        wrong(
            "all turn equally fast",
            "Then one wave would be enough, and after one turn no position could be told from the one a turn before.",
        ),
        wrong(
            "the sines turn faster than the cosines",
            "The sine and the cosine of a pair have the same angle. They are two views of the same hand of a clock.",
        ),
    ),
    choose(
        "Why do positions need slow pairs besides the fast ones?",
        wrong(
            "they save computing time",
            "A slow sine costs just as much as a fast one.",
        ),
        right(
            "fast pairs come round again soon, and slow ones say in which round they are",
            "As with the hands of a clock: the minute hand is exact, and the hour hand says which hour.",
        ),
        wrong(
            "the slow ones are for rare words",
            "Positions know nothing of words. Every word at one place gets the same row.",
        ),
        wrong(
            "so that neighbours get very different rows",
            "That is what the fast ones do. Between neighbours the slow ones hardly change.",
        ),
    ),
    choose(
        "With rotary positions a query stands at position 5 and a key at position 3. Both move on by 100. What becomes of their score?",
        wrong(
            "it gets smaller, since both are farther from the beginning",
            "Their places don't come into it. Turning changes no length, and both are turned by the same angle more.",
        ),
        right(
            "it stays the same",
            "Both turn by the same angle more, so the angle between them stays. The score depends on the distance alone.",
        ),
        wrong(
            "it gets larger, since larger angles add up",
            "A dot product doesn't see the two angles, only the one between them.",
        ),
        wrong(
            "it changes its sign",
            "For that one of the two would have to turn by half a turn more than the other.",
        ),
    ),
    choose(
        "Rotary positions turn queries and keys. Why not the values?",
        wrong(
            "values are too long to be turned",
            "They have as many numbers as the keys here, and could be turned just as well.",
        ),
        right(
            "the position has done its work in the score: it decides where to look, not what is found there",
            "What is fetched should be the same wherever it stands.",
        ),
        wrong(
            "it was forgotten in the first paper",
            "It is meant so. A turned value would arrive differently from each place.",
        ),
        wrong(
            "the mask does it for them",
            "The mask takes away whole positions. It turns nothing.",
        ),
    ),
    choose(
        "A model with a learned table was trained on texts of 64 tokens at most. You give it 65. What happens?",
        right(
            "there is no row for the last token, so it must refuse",
            "The table ends. Somebody has to cut the text, or train more rows.",
        ),
        wrong(
            "it goes on, a little worse",
            "That may happen with rotary positions, for which a formula gives the angle. A table has no row to give.",
        ),
        wrong(
            "it uses the last row twice",
            "No row stands for two places, unless somebody builds it so. This one was trained for one position only.",
        ),
        wrong(
            "it uses a sinusoid for the rest",
            "The two have nothing to do with each other: nobody knows which wave would continue what was learned.",
        ),
    ),
    choose(
        "Some files of llama models hold the rows of the query and key weights in another order than others. Why does it do no harm?",
        wrong(
            "the order of the rows never matters",
            "It does: rotary positions turn certain rows together, and whoever pairs the wrong ones gets nonsense.",
        ),
        wrong(
            "the files differ in their rounding only",
            "No number is changed. Whole rows stand in other places.",
        ),
        right(
            "one pairs neighbours and the other a row with one half a head away, and the rows are moved to fit",
            "Both turn the same pairs by the same angles. Queries and keys are moved alike, so every dot product stays.",
        ),
        wrong(
            "the model learns the new order when it is loaded",
            "Loading trains nothing. Whoever reads the file must know its order and put the rows back.",
        ),
    ),
]  # fmt: skip
