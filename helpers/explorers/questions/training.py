"""The questions of notebook 06."""

from helpers.explorers.quiz import choose, match, right, wrong

QUESTIONS = [
    choose(
        "A model gave the true next word a probability of 1/8. How large was its surprise?",
        wrong(
            "1/8 of a nat",
            "The surprise is the logarithm, not the probability: what is unlikely surprises more, not less.",
        ),
        right(
            "3 bits, which is 2.08 nats",
            "Three fair coins in a row come up heads with probability 1/8, and each is one bit. A bit is 0.69 nats.",
        ),
        wrong(
            "8 nats",
            "That is the perplexity: the number of sides of a die that surprises as much. Its logarithm is the surprise.",
        ),
        wrong(
            "7/8 of a bit",
            "What was missing to certainty is not how surprise is counted. A probability of 1/2 is one bit, and each further halving is one more.",
        ),
    ),
    choose(
        "Why does nobody have to label the text that a language model learns from?",
        wrong(
            "labels are made by a larger model",
            "Such training exists, for later stages. The first and longest one takes plain text.",
        ),
        right(
            "the text is its own answer",
            "At every word the question is what comes next, and the text says it. The targets are the inputs moved by one.",
        ),
        wrong(
            "the model does not need right answers",
            "It does: without a target there is no surprise, and no gradient.",
        ),
        wrong(
            "only the dictionary's words count",
            "Every token counts, punctuation too. What does not count is padding behind a text's end.",
        ),
    ),
    match(
        "What is it that training does here?",
        (
            "forward pass",
            "works out the odds, and from them the loss",
            "The mask lets all positions be answered at once.",
        ),
        (
            "backward pass",
            "works out how each number moves the loss",
            "From the loss to the first layer, each step with what the one behind it handed over.",
        ),
        (
            "optimizer step",
            "moves each number a little against its gradient",
            "How far is the learning rate, and with AdamW also the size of the latest gradients.",
        ),
        (
            "evaluation",
            "reads stories that were never learned from",
            "Nothing is changed. It says what was learned and not only remembered.",
        ),
    ),
    choose(
        "In the narrow valley the path zigzags across and hardly moves along. What helps?",
        wrong(
            "a larger learning rate",
            "The steep direction already overshoots. Larger steps throw it out of the valley.",
        ),
        wrong("starting at the same place again", "It would go the same way: nothing is random in it."),
        right("momentum", "The steps to and fro cancel out, those along the valley add up."),
        wrong("fewer steps", "Then it gets less far along."),
    ),
    choose(
        "The loss on the training stories falls and falls, and that on fresh stories has begun to rise. What happens?",
        right(
            "the model learns these stories by heart",
            "That is overfitting. Stop here, or better, give it more stories.",
        ),
        wrong("the learning rate is too small", "Then both would fall slowly."),
        wrong(
            "the fresh stories are harder", "They come from the same dice, and their loss was falling before."
        ),
        wrong(
            "the model is too small",
            "A model too small could not fall below the floor on its own stories. This one remembers them.",
        ),
    ),
    choose(
        "Nobody can get below the entropy of the dice. Why did the loss of a batch once lie below it?",
        wrong(
            "the model has learned to cheat",
            "There is nothing to cheat with: it sees the words before, and no others.",
        ),
        wrong("the entropy was worked out wrongly", "It is exact, and checked against a million rolls."),
        right(
            "that batch held likely stories",
            "The entropy is a mean over all stories. A batch of 64 can be luckier than the mean, on fresh stories as well.",
        ),
        wrong("the loss is measured in other units", "Both are nats per token."),
    ),
    choose(
        "A model with twice the parameters reads twice the tokens. How many times the operations does its training take?",
        wrong("the same", "Both numbers are factors of 6 N D."),
        wrong(
            "twice",
            "Twice the parameters alone is twice the operations; each token goes through all of them.",
        ),
        right(
            "four times", "The rule is 6 N D, and two times two is four. The price goes with the operations."
        ),
        wrong(
            "sixteen times",
            "That would be a square of each. Only the comparing of tokens inside attention grows with a square, that of the text's length.",
        ),
    ),
]
