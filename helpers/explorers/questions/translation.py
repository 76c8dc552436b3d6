"""The questions of notebook 09."""

from helpers.explorers.quiz import choose, match, right, wrong

QUESTIONS = [
    match(
        "The transformer of 2017 has attention in three places. What does each of them see?",
        ("encoder", "the whole English sentence, from every English word", "Nothing is hidden: the sentence is finished before reading begins, so each word may look ahead as well."),
        ("decoder, at itself", "the Hindi words written so far", "What is not written yet must stay hidden. This is the attention of a GPT, causal mask and all."),
        ("decoder, across", "the whole English sentence, from every Hindi word", "Each Hindi word may look anywhere in the English, since no part of it is to be guessed."),
    ),
    choose(
        "Where do the queries, keys and values of cross-attention come from?",
        wrong(
            "all three from the Hindi words written so far",
            "That is the decoder's attention to itself. It knows what was written, and nothing of what is to be translated.",
        ),
        wrong(
            "queries from the English, keys and values from the Hindi",
            "Then English words would collect something from the Hindi. It is the Hindi that has to be written, so it asks.",
        ),
        right(
            "queries from the Hindi, keys and values from the English",
            "The word that is being written asks. The English answers, and its values are what is carried over.",
        ),
        wrong(
            "queries and keys from the Hindi, values from the English",
            "The weights say where in the English to look. So the keys must be English words, as many as there are values.",
        ),
    ),
    choose(
        "For “how are you” a translator writes आप हैं कैसे, and the grammar says आप कैसे हैं. How do we count it by exact match?",
        wrong(
            "as right: all three words are there",
            "A count of words that ignores their order would call it right. But Hindi puts the verb at the end, and हैं is the verb.",
        ),
        right(
            "as wrong: every word is right, and the order is not",
            "Order is a part of the sentence. Exact match is strict, and therefore stands beside softer scores.",
        ),
        wrong(
            "as one third right: one word stands in its place",
            "That is another score, the share of words in their places. Exact match knows only yes and no.",
        ),
        wrong(
            "as two thirds right: only one word would have to move",
            "Counting the moves that are needed is a score, too, and a milder one. Exact match does not count moves.",
        ),
    ),
    choose(
        "A program replaces each English word by the Hindi word that it comes with most. What can it never get right, however many sentences it has counted?",
        right(
            "what depends on other words: the order, the verb's gender, the small word को",
            "The verb ends as its subject's gender asks, and stands last. A word that is looked up alone knows nothing of its neighbours.",
        ),
        wrong(
            "rare words",
            "More sentences help with those: once seen, a rare word can be looked up like any other.",
        ),
        wrong(
            "long sentences, because they need more memory",
            "It needs no memory: each word is looked up by itself, be there five or fifty of them.",
        ),
        wrong(
            "names of people",
            "Those are its best part. A name means the same wherever it stands, so looking it up is enough.",
        ),
    ),
    choose(
        "In the picture of cross-attention, the row of देखता is strongest under “sees”. What do we know?",
        wrong(
            "the model wrote देखता because of “sees”, and of nothing else",
            "The values of other words, other heads and layers, and the Hindi so far all take part. Attention is not yet an explanation.",
        ),
        wrong(
            "the model knows that both words mean the same",
            "It carries something over from that place. What it takes, and what it makes of it, the picture does not show.",
        ),
        wrong(
            "without “sees” the model could not have written a verb",
            "That would be an experiment: take the word away, or this head, and see what is written. The picture alone doesn't tell.",
        ),
        right(
            "in this head, most of what is handed over at this word comes from the place of “sees”",
            "This much can be read off. That places often agree with a true alignment is a finding, and must be measured.",
        ),
    ),
    choose(
        "Greedy decoding takes the best word each time; beam search keeps several beginnings. What does it gain?",
        wrong(
            "it always finds the likeliest sentence of all",
            "Only keeping every beginning would make that sure. What falls out of the beam is lost, even if it would have won.",
        ),
        right(
            "a beginning that was behind may still win, if what follows is likelier",
            "Greedy can't go back on its first word. The price: with four beams, about four times the work at each step.",
        ),
        wrong(
            "the sentences are more varied",
            "Beams are often close cousins that differ in a word. For variety dice are rolled, as in notebook 07.",
        ),
        wrong(
            "the model's odds get better",
            "The model stays as it is. Only the search among its odds is another one.",
        ),
    ),
    choose(
        "BERT reads a text with masked words, from both sides at once. What is it not made for?",
        wrong(
            "naming the word that is hidden in a sentence",
            "This is just what it was trained on, and the words on both sides help.",
        ),
        wrong(
            "vectors that say what a text is about",
            "It is good at that: reading the whole text from both sides makes good vectors. Search and sorting live on it.",
        ),
        right(
            "writing a text from left to right",
            "It has hardly ever seen a text with nothing on the right. And words hidden together are guessed one by one, so they may not fit each other.",
        ),
        wrong(
            "reading the words behind the gap",
            "It does, and a model with a causal mask does not: that is the difference between the two.",
        ),
    ),
    choose(
        "Most chat models today have no encoder for text, and translate all the same. How?",
        right(
            "the English stands in the prompt, and the Hindi is written behind it",
            "One network with a causal mask reads both as one row, and self-attention does what cross-attention did. Translating is one prompt among many.",
        ),
        wrong(
            "they have a hidden encoder that works only for other languages",
            "There is one stack of blocks for everything. What comes first in the row can be looked at by all that follows.",
        ),
        wrong(
            "they look each sentence up in a list of translations",
            "There is no list. They have read texts in many languages, among them texts beside their translations, and learned from those.",
        ),
        wrong(
            "encoders were shown to be worse at translating",
            "They were not; for translation alone they are still built. One network for every task is simpler to build, to train and to enlarge.",
        ),
    ),
]  # fmt: skip
