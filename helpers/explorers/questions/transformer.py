"""The questions of notebook 05."""

from helpers.explorers.quiz import choose, match, right, wrong

QUESTIONS = [
    match(
        "Which part of the transformer does this?",
        ("residual stream", "holds everything found so far", "Every block reads from it and adds to it, from the first to the last."),
        ("attention", "brings in what stands at other positions", "No other part moves anything from one position to another."),
        ("feed-forward network", "works on each position by itself", "The same weights for each position, and no look to the side."),
        ("norm", "makes vectors alike in size", "Only a copy goes through it, just before a part reads."),
        ("tied embedding", "turns ids into vectors, and vectors into scores", "One table has both jobs: a row is looked up, and later compared."),
    ),
    choose(
        "A block has nothing to say about a word: its attention and its feed-forward network both give only zeros. What does the next block read at that word?",
        right(
            "what this block read, unchanged",
            "A block adds to the stream and replaces nothing. Zeros added change nothing.",
        ),
        wrong(
            "zeros",
            "It would be so if a block replaced the stream. Whatever came before would then be lost at the first silent block.",
        ),
        wrong(
            "the embedding of the word, as it was at the very start",
            "Only if all blocks before were silent too. What they added is still there.",
        ),
        wrong(
            "what this block read, but normed",
            "The norm stands in front of attention and feed-forward network, on a copy. The stream itself goes past it.",
        ),
    ),
    choose(
        "You make every number of a vector ten times as large, and then it goes through RMS norm. What comes out?",
        wrong(
            "ten times what came out before",
            "That is what a matrix would do. The norm divides by the size of the vector, and that is ten times as large as well.",
        ),
        wrong(
            "only zeros and ones",
            "The norm cuts nothing off. It divides all numbers of a vector by the same number, so they keep their proportions.",
        ),
        right(
            "the same as before",
            "The root of the mean square is ten times as large too, and divides it away. So the parts behind a norm don't mind that the stream grows from block to block.",
        ),
        wrong(
            "the same as before, with the mean taken away",
            "Layer norm takes the mean away. RMS norm leaves it, and models work as well without that step.",
        ),
    ),
    choose(
        "How does the logit lens find out what a model with 30 blocks would say after block 12?",
        wrong(
            "it trains a small network that translates block 12 into words",
            "Such a thing exists, and is called a tuned lens. The plain logit lens trains nothing.",
        ),
        right(
            "it skips the other 18 blocks and goes on with the last norm and the table",
            "That works because blocks only add: after block 12 the stream is an unfinished answer in the same space.",
        ),
        wrong(
            "it looks which word block 12 pays most attention to, and takes that one",
            "Attention says which words are looked at. Which word comes next is read from the stream.",
        ),
        wrong(
            "it runs block 12 alone on the embeddings, and reads what comes out",
            "Block 12 was trained on what blocks 1 to 11 have written. On bare embeddings it finds nothing that it knows.",
        ),
    ),
    choose(
        "The embedding table is 28.3 of SmolLM2's 134.5 million parameters. In GPT-3 it is less than 1 % of 175 billion. Where are all the others?",
        wrong(
            "in the norms: each block has two",
            "A norm has one number for each dimension, or two. No part of a block is smaller.",
        ),
        wrong(
            "in the queries, keys and values, since attention is what makes a transformer",
            "They and the output of attention have about a third of a block in GPT-3, and a quarter in SmolLM2. The larger part is elsewhere.",
        ),
        wrong(
            "in the attention weights, one for each pair of words",
            "Those are computed anew for each text, and are no parameters: nobody trained them.",
        ),
        right(
            "in the blocks, two thirds of them or more in the feed-forward networks",
            "Twice the width makes the table twice as large, and every block four times. So the table's share shrinks as models grow.",
        ),
    ),
    match(
        "Who may look at what?",
        (
            "encoder alone (MiniLM, BERT)",
            "everyone at everyone",
            "It has the whole text from the start. It is for vectors of whole texts, and for words left out in the middle.",
        ),
        (
            "decoder alone (GPT, SmolLM2)",
            "each at itself and what came before",
            "What comes next is what it shall learn to say, so it must not see it. It is for writing on.",
        ),
        (
            "both together (the first transformer)",
            "one text at itself, the other back and at all of the first",
            "One text is there as a whole, the other one is being written. It is for translating.",
        ),
    ),
    choose(
        "A model writes one text, token after token. You store each weight in half the bytes, and it writes nearly twice as fast, though it does just as many operations. Why?",
        wrong(
            "half the weights are left out, the ones that matter least",
            "All are there, each with fewer digits. Leaving weights out is another trick, and it would save operations.",
        ),
        right(
            "each new token needs every weight from memory, and that is what takes long",
            "Two operations for each weight that is fetched: the processor waits. So memory that reads fast is what counts here.",
        ),
        wrong(
            "it was trained with small weights, and so it learned to be quick",
            "How it was trained changes nothing about the time it takes to write. Training waits for arithmetic: each weight that is fetched serves thousands of tokens.",
        ),
        wrong(
            "it reads its prompt in half the time, and the rest follows from that",
            "Reading a prompt waits for arithmetic more than for memory: each weight that is fetched serves all its tokens at once. Writing has one token at a time.",
        ),
    ),
]  # fmt: skip
