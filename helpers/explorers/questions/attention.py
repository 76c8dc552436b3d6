"""The questions of notebook 04."""

from helpers.explorers.quiz import choose, match, right, wrong

QUESTIONS = [
    match(
        "What is each of these in attention?",
        ("query", "what a word looks for", "It is compared with the key of every word that can be seen."),
        ("key", "how a word can be found", "Its dot product with a query is large where the two fit each other."),
        ("value", "what a word hands over", "It need not look like the key that it was found by."),
        ("weight", "one word's share in what another one finds", "All the shares of one query sum to 1."),
        ("head", "one such look, with matrices of its own", "A layer has several, so that a word can look for several things at once."),
    ),
    choose(
        "A query has the scores 2, 2 and 5, and the mask hides the third key. The values are 10, 20 and 90. What does it find?",
        wrong(
            "40",
            "That is the mean of all three values. A hidden key gets the weight 0, and its value plays no part.",
        ),
        right(
            "15",
            "Two equal scores give two equal weights, a half each, and half of 10 and half of 20 are 15.",
        ),
        wrong(
            "60",
            "Here the scores themselves were the weights: 2 times 10 and 2 times 20. The softmax makes shares of them that sum to 1.",
        ),
        wrong(
            "90",
            "It has the largest score, and the mask hides it: minus infinity takes the place of the 5.",
        ),
    ),
    choose(
        "Why are the scores divided by the root of d, the number of dimensions of a head?",
        wrong(
            "so that the weights of each row sum to 1",
            "The softmax sees to that, whatever the scores are.",
        ),
        wrong(
            "so that a wide head is computed as fast as a narrow one",
            "Dividing saves no time. The dot products have been taken already.",
        ),
        right(
            "dot products grow with the width, and wide heads would look at one key only",
            "Random queries and keys show it: with the root the entropy of a row stays the same from 4 dimensions to 1,024.",
        ),
        wrong(
            "so that no score is below 0",
            "Dividing by a root changes no sign. Scores below 0 are fine: the softmax makes small weights of them.",
        ),
    ),
    choose(
        "You take the mask out of SmolLM2, and its loss on a text falls from 2.76 to 1.9 nats a token. Has it become a better model?",
        wrong(
            "yes: now it understands each word from both sides",
            "A model like MiniLM is trained for that. This one has to guess the next word, and was shown it.",
        ),
        wrong(
            "yes, and any other GPT would gain as much",
            "The GPT of Tinytown gets much worse, 2.3 in place of 0.41: it was trained with a mask, and the future confuses it.",
        ),
        wrong(
            "no: without a mask its weights no longer sum to 1",
            "They do: the softmax comes after the mask, and divides by the sum of whatever can be seen.",
        ),
        right(
            "no: each token now sees the one that it has to guess",
            "Reading the answer is not guessing. And when it writes, there is no next word yet that it could look at.",
        ),
    ),
    choose(
        "One head gives 0.83 of its weight to the first token. Another has a clean line on the word before. Which one does the model need more?",
        wrong(
            "the first one: 0.83 says that the first token is what the text is about",
            "It is a place to rest: a head that finds nothing must still spend all of its weight somewhere. That is the sink.",
        ),
        wrong(
            "the second one: what looks so clear must be important",
            "It was switched off in this notebook, and the loss changed little. A clear picture is not a large effect.",
        ),
        right(
            "the pictures can't tell: switch each of them off, and measure the loss",
            "Weights say where a head looks. What its values then do to the next word is another question.",
        ),
        wrong(
            "neither: attention is not what makes these models work",
            "One head may do little, and all together do a lot: with equal weights everywhere Tinytown's loss goes from 0.41 to 2.7.",
        ),
    ),
    choose(
        "A text gets twice as long. How many more scores does a head have to compute?",
        right(
            "four times as many",
            "Twice as many queries, and for each of them twice as many keys. The cost grows with the square of the length.",
        ),
        wrong(
            "twice as many",
            "That would be so if there were one score for each word. There is one for each pair of words.",
        ),
        wrong(
            "as many as before",
            "The number of weights in the model stays the same, however long the text is. The scores are computed anew for each text.",
        ),
        wrong(
            "eight times as many",
            "That would be a cube. A score belongs to two words, not to three.",
        ),
    ),
    choose(
        "SmolLM2 reads “apple unveiled the new phone”. How does its vector of “apple” become that of the company, layer after layer?",
        wrong(
            "it takes more and more from “phone”",
            "The mask hides “phone” from it, which comes later. In MiniLM, which sees the whole sentence, it can.",
        ),
        right(
            "it doesn't: it sees only itself, so it is the same in every text that begins with it",
            "A model that reads from left to right learns the sense later: the words behind “apple” can look back at it.",
        ),
        wrong(
            "the embedding table has a row of its own for the company",
            "A token has one row, for all of its senses. Only the words around it can tell which is meant.",
        ),
        wrong(
            "its position, at the beginning, gives the company away",
            "The fruit can stand there just as well. A position says where a word stands, and nothing of what it means.",
        ),
    ),
]  # fmt: skip
