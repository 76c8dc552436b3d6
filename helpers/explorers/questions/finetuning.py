"""The questions of notebook 08."""

from helpers.explorers.quiz import choose, match, right, wrong

QUESTIONS = [
    choose(
        "A model that writes stories is fine-tuned until it answers questions. What is new about this training?",
        wrong(
            "the loss: it is no longer the surprise at the next token",
            "It is the same surprise at the next token, and the same loop with the same optimizer.",
        ),
        wrong(
            "the model: it gets new layers for its new task",
            "No layer is added. LoRA puts a small change beside some matrices, and plain fine-tuning not even that.",
        ),
        right(
            "the text that it reads, and the weights that it starts from",
            "It starts from what it can do already, and reads prompts with their answers. That is why few examples and few steps are enough.",
        ),
        wrong(
            "the answers are stored, to be looked up later",
            "Nothing is stored but numbers in matrices. Training moves them, so that the answers become likelier.",
        ),
    ),
    choose(
        "The targets of the prompt are left out, so that the loss counts the answer alone. Why?",
        right(
            "the steps go into what it shall learn to say, and the prompt is always given",
            "Somebody else writes the prompt. Long prompts with short answers would otherwise fill most of the loss.",
        ),
        wrong(
            "the model then does not have to read the prompt, which saves time",
            "It reads the prompt as before: the answer depends on every word of it. Only the surprise at its words is not counted.",
        ),
        wrong(
            "with the prompt in the loss, nothing would be learned",
            "The answer would still be learned, beside the prompts. It is a choice of where the effort goes.",
        ),
        wrong(
            "the model could otherwise see the answer in the prompt",
            "What it may see is the mask's business, inside attention. This is about which surprises are added up.",
        ),
    ),
    choose(
        "After fine-tuning on questions alone, the model is worse at stories. What helps best against forgetting?",
        wrong(
            "more steps on the questions",
            "Each step that looks at questions alone may move it further away from the stories.",
        ),
        wrong(
            "a larger learning rate",
            "Larger steps leave the old place faster. A smaller one forgets less, and learns less too.",
        ),
        wrong(
            "answers that are longer",
            "Longer answers are still answers. Nothing in them says how a story goes on.",
        ),
        right(
            "some stories mixed in among the questions",
            "That is called rehearsal: what is practised stays. It costs a part of the steps.",
        ),
    ),
    choose(
        "A matrix has 576 rows and 576 columns, 331,776 numbers. LoRA of rank 4 stands beside it. How many numbers are trained?",
        wrong("4", "The rank says through how many numbers the change has to pass. Two matrices lead there and back."),
        wrong("16, which is 4 times 4", "Both thin matrices have one side of 4, and the other is as long as the large matrix's: 576."),
        right(
            "4,608, which is 4 times 576 and 576 together",
            "One matrix of 4 rows makes 4 numbers of 576, and one of 4 columns makes 576 of 4. That is 1.4 % of all.",
        ),
        wrong(
            "331,776, since every number of the matrix may change",
            "The sum may change everywhere, but not freely: all of it is made of these two thin matrices. The large one stands still.",
        ),
    ),
    match(
        "An adapter is turned to a strength, or merged. What comes of it?",
        ("strength 0", "the model answers as it did before training", "The change is multiplied by 0. That the base is still there, unharmed, is what makes adapters safe to try."),
        ("strength 1", "the model answers as it was trained to", "This is the change as training left it."),
        ("strength 2", "the voice gets louder, and sense may get lost", "Nobody trained that place. It lies as far again in the same direction."),
        ("merging", "the change is added to the weights for good", "The answers stay the same, and there is no more work than without an adapter. But it can't be turned any more."),
    ),
    choose(
        "A model answers all the sums right that it was trained on, and one in ten of those that it never saw. What has it learned?",
        wrong(
            "to add, with a few slips",
            "Who can add slips on old and new sums alike. Here the new ones fail.",
        ),
        right(
            "these sums by heart",
            "Only sums that it never saw tell knowing from remembering. That is what held-out examples are for.",
        ),
        wrong(
            "nothing at all: right answers were luck",
            "Luck would be the same on both kinds. It has learned something, but not what we hoped for.",
        ),
        wrong(
            "one tenth of addition, and the rest needs more steps",
            "More steps on the same sums make these surer still. Other sums, more of them, or a better way to write them may help.",
        ),
    ),
    match(
        "DPO learns from preferences. What is the part of each of these?",
        ("pair", "two answers to one prompt, one of them preferred", "It shows which is better, and says nothing of how good either is."),
        ("reference", "the model before, by which the change is measured", "It is a frozen copy. Only what a text has gained or lost against it counts."),
        ("beta", "how dearly leaving the reference is paid for", "A small one lets the model wander far for its preferences; a large one keeps it near."),
        ("over-optimising", "the margin still grows while the texts get worse", "The margin is what is trained, and good texts were what we wanted. At some point the two part."),
    ),
]  # fmt: skip
