"""The questions of notebook 00."""

from helpers.explorers.quiz import choose, match, right, wrong

QUESTIONS = [
    choose(
        "A language model has read “once there was a”. What comes out of it?",
        wrong(
            "the next word",
            "Almost: a word is only chosen afterwards, by rolling. The model itself gives odds, and another roll "
            "gives another word.",
        ),
        right(
            "the odds of every word that could come next",
            "That is all it does. Everything else is made by rolling, appending and asking again.",
        ),
        wrong(
            "the rest of the story",
            "Not at once. A story needs one trip through the model for each word.",
        ),
        wrong(
            "whether the sentence is correct",
            "That would be a model that sorts. This one makes new text, and grammar shows only in its odds.",
        ),
    ),
    choose(
        "You count pairs of words in a million stories in place of 1,000. What can the bigram model do now that "
        "it could not do before?",
        wrong(
            "tell where the goose lives",
            "The sea was named 17 words before. However much it has read, a bigram model looks at the last word "
            "only.",
        ),
        wrong(
            "write stories that make sense from beginning to end",
            "For that it would have to remember the beginning. It forgets everything but the last word.",
        ),
        right(
            "give odds that are closer to the true ones, but still for one word of context",
            "More rolls show the sides of a die more exactly. They don't make another die of it.",
        ),
        wrong(
            "give up less often on long contexts",
            "It has no long contexts. An n-gram of a higher order would gain just that.",
        ),
    ),
    choose(
        "An n-gram of order 12 reads a fresh story, and often has nothing to say. Why?",
        right(
            "it never saw those eleven words in a row",
            "What was never seen can't be counted, and the longer the context, the rarer it was seen.",
        ),
        wrong("its table is too large for the computer", "It fits with ease. The trouble is what is not in it."),
        wrong(
            "there are words in the story that it doesn't know",
            "It knows every one of them. It is their combination that is new.",
        ),
        wrong(
            "its dice were not rolled often enough",
            "Rolling comes later, when it writes. Here there is no die to roll.",
        ),
    ),
    choose(
        "Somebody knows every die of Tinytown. How surprised are they by a fresh story?",
        wrong(
            "not at all",
            "Knowing that a die has 14 sides with “sky” doesn't tell which side comes up. Only where there is one "
            "possibility is there no surprise.",
        ),
        right(
            "as much as the entropy says, on average, and nobody can do better",
            "Entropy is the surprise that is left when everything that can be known is known.",
        ),
        wrong(
            "as much as the best n-gram",
            "Less: the n-gram adds its own errors and its blindness for what is far away.",
        ),
    ),
    choose(
        "What are the parameters of the small GPT?",
        wrong(
            "the stories it was trained on",
            "It keeps none of them. All that is left of the stories is how they moved the numbers.",
        ),
        wrong(
            "how often each pair of words occurred",
            "Those are the counts of a bigram. The GPT has no table of counts.",
        ),
        right(
            "numbers that were nudged until its odds fitted the stories",
            "Nobody wrote them by hand, and no single one has a meaning that could be read off.",
        ),
        wrong("its words and their ids", "That is the vocabulary, which was fixed before training began."),
    ),
    choose(
        "You run “My name is” again with another seed, and somebody with another name speaks. What has changed?",
        wrong("the model's parameters", "They stay as they are when a model writes. Only training changes them."),
        wrong(
            "the odds of the first word",
            "Same model, same text, same odds. From the second word on they differ, since the text does.",
        ),
        right(
            "the rolls of the dice",
            "The seed decides how the dice fall. The odds of the first word are the same as before.",
        ),
    ),
    choose(
        "A chatbot gives an answer that is fluent, sure of itself, and wrong. What went wrong in it?",
        right(
            "nothing: it gave words that were likely to come next",
            "It has no other aim. Likely and true often go together, and then again they don't.",
        ),
        wrong("it knew the answer and lied", "To lie one has to know better. There is no place where it keeps truths."),
        wrong(
            "one of its tokens came out of the dice by accident",
            "That happens too. But in part 8 the wrong answer came at temperature 0: the likeliest token every time.",
        ),
        wrong("its training was broken off too early", "Longer training makes it wrong less often. The aim stays the same."),
    ),
    match(
        "What belongs to which box of the picture?",
        ("tokens", "a text cut into pieces", "It is the first box: nothing is a number yet."),
        ("ids", "one whole number for each piece", "It is the place of the piece in the vocabulary."),
        ("vectors", "a row of numbers that says what the piece is like", "The same piece has the same row everywhere."),
        ("attention", "each piece gathers what it needs from earlier ones", "It is how “the sea” gets to the end of the story."),
        ("probabilities", "a share for every word that could come next", "They add up to 1, like the sides of a die."),
    ),
]  # fmt: skip

GPT = [
    match(
        "What do the three letters stand for?",
        ("G", "generative", "It makes new text, by giving odds for the next token and rolling the dice (parts 1 and 4)."),
        (
            "P",
            "pre-trained",
            "It learned from a large pile of text before you met it (part 6), and can be trained further (notebook 08).",
        ),
        ("T", "transformer", "It is a kind of neural network, built from attention (the fifth box in part 7)."),
    ),
]  # fmt: skip
