"""The questions of notebook 10."""

from helpers.explorers.quiz import choose, match, right, wrong

QUESTIONS = [
    choose(
        "A GPT was invented for text. Why can the same class draw digits?",
        wrong(
            "because it sees the picture as a whole, as an eye does",
            "It sees a row of 64 ids. That one pixel stands above another is something it had to find out.",
        ),
        wrong(
            "because digits are a kind of writing",
            "Faces or clouds would do as well. What the pictures show plays no part in how it works.",
        ),
        right(
            "because it takes ids and gives odds of the next id, whatever the ids stand for",
            "A shade with a number is a token like any other. Only what makes ids of a picture, and a picture of ids, had to be written.",
        ),
        wrong(
            "because blocks that are made for pictures were added",
            "No line of the model was changed. Some other models have such blocks; this one does without.",
        ),
    ),
    choose(
        "Each pixel has one of four shades. A model pays 2 bits per pixel on new pictures. What has it learned?",
        right(
            "nothing that helps: equal odds for all four shades cost just as much",
            "One of four is a probability of a quarter, and that is a surprise of 2 bits. Whoever knows something about pictures pays less.",
        ),
        wrong(
            "half of everything: 4 bits would be nothing at all",
            "Equal odds for four shades cost 2 bits. 4 bits would be equal odds for sixteen shades.",
        ),
        wrong(
            "which two of the four shades can come",
            "To be left with two shades, equally likely, costs 1 bit.",
        ),
        wrong(
            "to make only two mistakes in each picture",
            "Bits don't count mistakes. They say how surprising the shades were that came, and here they were as surprising as by chance.",
        ),
    ),
    choose(
        "At temperature 0 a model completes the same half of a digit ten times. What do you get?",
        wrong(
            "the most probable of all pictures with this half",
            "It takes the likeliest shade at each pixel, and can't go back. Another beginning might have led to a likelier picture.",
        ),
        wrong(
            "a grey mean of all digits that fit",
            "A mean would be what a model gives that is punished for squared distance. This one has to choose a shade each time.",
        ),
        wrong(
            "ten different digits, all well drawn",
            "Nothing is left to chance at 0. To get different pictures, dice must be rolled, at a temperature above 0.",
        ),
        right(
            "ten times the same picture",
            "The likeliest shade is taken at every pixel, so that each of the ten goes the same way.",
        ),
    ),
    match(
        "Four ways to draw. What is each of them trained to do?",
        ("GPT", "give odds for the next pixel", "One pixel at a time, in a fixed order. Its loss can be read as bits per pixel."),
        ("VAE", "unfold a picture that was squeezed into a few numbers", "What does not fit into the few numbers is lost, and its pictures are often blurred."),
        ("GAN", "make pictures that another network takes for real", "That network, the expert, learns as well. No loss says outright how good the pictures are."),
        ("diffusion", "find the noise in a noisy picture", "It learns this for little noise and for much. To draw, it begins with noise alone and takes some away many times."),
    ),
    choose(
        "Early makers of pictures drew hands with six fingers, and each finger looked real. What is a likely reason?",
        wrong(
            "there were no hands in the pictures that they had learned from",
            "Then the single fingers would be bad, too. There were many hands, from all sides, often partly hidden.",
        ),
        right(
            "they learned best how small patches look, and no patch shows how many there are in all",
            "Beside a finger there is often another finger: true of every patch, and never a reason to stop. A count is a fact about the whole.",
        ),
        wrong(
            "somebody forgot to program that a hand has five fingers",
            "Nobody programs such rules. Newer models draw better hands, and have no such rule either.",
        ),
        wrong(
            "the noise they begin with has six bright places",
            "The noise is new for each picture, and has no such places. It would not explain the same mistake everywhere.",
        ),
    ),
    choose(
        "A model is right for 12 of 20 sentences that we wrote. Its 95 % error bar goes from 39 % to 78 %. What does that say?",
        wrong(
            "how often the model is right about the world",
            "The world is not made of sentences like ours. An error bar knows nothing of what we did not think of.",
        ),
        wrong(
            "that the same 20 sentences, asked again, may give another number",
            "The same sentences have the same odds again, and 12 would be right again. It is the choice of the sentences that was left to chance.",
        ),
        right(
            "how much is left to the luck of which 20 sentences of this kind we wrote",
            "With endless sentences of this kind, the share could well be anywhere in there. A range that is made like this holds it 19 times out of 20.",
        ),
        wrong(
            "that the model is 95 % sure of its answers",
            "The 95 % belong to our method of measuring. How sure the model is of an answer is another number, and may be wrong.",
        ),
    ),
    choose(
        "A calibrated model gives a great many answers, each with a confidence of 0.7. How many of them are right?",
        right(
            "about 70 %",
            "That is what the word means: it is right as often as it thinks. It need not be right often.",
        ),
        wrong(
            "all of them",
            "Then it thought too little of itself. That is less dangerous than the opposite, and not calibrated either.",
        ),
        wrong(
            "one cannot say, since each answer is right or wrong",
            "Of a single answer one cannot. Among many with the same confidence there is a share that can be counted.",
        ),
        wrong(
            "70 % or more",
            "More would be a gap as well. Calibration asks for agreement, in both directions.",
        ),
    ),
    choose(
        "A small model can't count the things in a list. What do we know about a large model now?",
        wrong(
            "it can't count either, since it predicts the next token as well",
            "Both do, and yet what they have learned differs. The way of training alone does not say what can be learned from it.",
        ),
        wrong(
            "it can count, since large models are better at everything",
            "At much, not at everything. Some mistakes were found more often in larger models, such as repeating what many people wrongly believe.",
        ),
        wrong(
            "it makes the same mistakes, but fewer of them, in proportion to its size",
            "No such rule holds for single tasks: some get better slowly, some at once, and some not at all.",
        ),
        right(
            "nothing yet: put the same questions to it and count",
            "Numbers don't carry over from one model to another. The questions do, and so does the way to count, with an error bar.",
        ),
    ),
]  # fmt: skip
