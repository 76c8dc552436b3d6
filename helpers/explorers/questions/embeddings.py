"""The questions of notebook 02."""

from helpers.explorers.quiz import choose, match, right, wrong

QUESTIONS = [
    match(
        "Which word is meant?",
        ("one-hot vector", "zeros, and a 1 in a place of its own", "It says which token it is, and nothing else."),
        ("embedding", "a row of numbers that was learned", "Tokens that are used alike get rows that point alike."),
        ("dot product", "products number by number, added up", "It grows with the lengths of both vectors."),
        ("cosine", "the same, with the lengths divided out", "It compares directions, from the same to the opposite."),
        ("pooling", "many vectors turned into one", "One vector for a text, for instance the mean of those of its tokens."),
    ),
    choose(
        "You multiply the one-hot vector of a token by the embedding table. What comes out?",
        wrong(
            "the sum of all rows",
            "For that the vector would need a 1 in every place. All but one of its numbers are 0.",
        ),
        wrong(
            "the column of that token",
            "The columns are the dimensions. A token has a row.",
        ),
        right(
            "the row of that token",
            "Every other row is multiplied by 0. So a program doesn't multiply at all: it looks the row up.",
        ),
        wrong(
            "a vector with a 1 in it, only shorter",
            "What comes out are the numbers of the row, and they are whatever was learned.",
        ),
    ),
    choose(
        "Vectors were learned from company alone. Which two words end up close together?",
        wrong(
            "two words that often stand side by side, such as “blue” and “sky”",
            "Standing side by side isn't enough. What counts is having the same neighbours: after “blue” comes a thing, and "
            "before it “the”.",
        ),
        right(
            "two words that stand between the same neighbours, such as “fox” and “hen”",
            "That is what company means: whatever is said of one may be said of the other.",
        ),
        wrong(
            "two words that are spelled alike, such as “house” and “mouse”",
            "Nothing here looks at letters. To the counts a word is a number.",
        ),
        wrong(
            "two words that are equally frequent",
            "How often a word occurs is what PPMI divides out. “the” and “fox” keep different company.",
        ),
    ),
    choose(
        "You search with dot products in place of cosines. What happens?",
        right(
            "long vectors come to the front, whatever their direction",
            "A dot product is the cosine times both lengths. In a table where all rows have length 1 the two agree.",
        ),
        wrong(
            "nothing: both give the same order",
            "Only where all rows are equally long. In the table of a language model they are not.",
        ),
        wrong(
            "the order is turned round",
            "That would be distance: there the smallest is the best. A large dot product still speaks for a row.",
        ),
        wrong(
            "the length of the word you search for disturbs the order",
            "It multiplies every score by the same number, so the order stays. It is the lengths of the rows that disturb.",
        ),
    ),
    choose(
        "The nearest neighbours of “ cat” in a language model's table are “cat”, “ Cat” and “ cats”, before any other animal. Why?",
        wrong(
            "the model compares letters",
            "It can't see any: each of them is a number. Something else makes them alike.",
        ),
        right(
            "to the model they are tokens of their own that are used in much the same way",
            "With a capital, without the space, more than one: their company is nearly the same, and no animal's is nearer.",
        ),
        wrong(
            "the tokenizer gives them ids that are close together",
            "An id says when a piece was merged. Neighbours in the list of ids need have nothing in common.",
        ),
        wrong(
            "something went wrong in training",
            "It is what training on company should give. If you look for other animals, leave such variants out.",
        ),
    ),
    choose(
        "Two points lie close together on the map. What do you know about the two tokens?",
        wrong(
            "they mean nearly the same",
            "The map may have thrown them together: it has two dimensions for what had hundreds.",
        ),
        wrong(
            "nothing at all",
            "A map keeps part of the order: near points are near in the table more often than by chance.",
        ),
        right(
            "that it is worth looking whether they are close in the table as well",
            "A map gives ideas. The cosine of the two rows says whether they are true.",
        ),
        wrong(
            "they are frequent",
            "How often a token occurs is nothing that the map was made to show, though it can leave its mark.",
        ),
    ),
    choose(
        "Somebody searches the wine list for “wine for seafood”, and the right wine is described as “good with fish”. "
        "Which search finds it?",
        wrong(
            "search for keywords",
            "The two texts have no word of any weight in common. For a name or a number, keywords are the better search.",
        ),
        right(
            "search by the vectors of the sentences",
            "Both say nearly the same, so their vectors point nearly the same way, whatever the words.",
        ),
        wrong(
            "both, if the list is long enough",
            "A longer list gives keywords more to find, and none of it is this wine.",
        ),
        wrong(
            "neither: the machine can't know that seafood has to do with fish",
            "It was never told, but it has read both words in the same company.",
        ),
    ),
    choose(
        "A vector has 576 numbers. What does number 17 of them stand for?",
        wrong(
            "whether the word is an animal",
            "It would be nice. But nobody gave the dimensions names, and training had no reason to.",
        ),
        right(
            "nothing by itself",
            "Turn all vectors together, and every number changes while every angle stays. Meaning lies in directions, and most of "
            "those run across all dimensions.",
        ),
        wrong(
            "how often the word occurs",
            "Frequency leaves its traces, but in no place that was set aside for it.",
        ),
        wrong(
            "the seventeenth letter of the word",
            "No letter ever reaches the table. A token is looked up by its number.",
        ),
    ),
    choose(
        "One model gives vectors of 384 numbers, another of 1,536. What may you conclude?",
        wrong(
            "the longer ones are four times as good",
            "Which is better is found out by trying both on questions with known answers. Size alone doesn't tell.",
        ),
        wrong(
            "you can compare a vector of one with a vector of the other, if you fill up with zeros",
            "You would get a number, and it would mean nothing: the directions of two models have nothing to do with each other.",
        ),
        right(
            "the longer ones take four times the memory, and room for finer differences",
            "Whether that room is used depends on the model. The number of dimensions was chosen before training.",
        ),
        wrong(
            "the first one knows only 384 words",
            "That is the size of the vocabulary, the number of rows. Dimensions are columns.",
        ),
    ),
    choose(
        "Three texts of different length go through a model at once. What does mean pooling need the mask for?",
        right(
            "to leave out the padding, in the sum and in the number that it is divided by",
            "Else the vector of a text would change with the longest text that happens to stand beside it.",
        ),
        wrong(
            "to hide the words that come later",
            "That is the causal mask of a model that writes. This one reads in both directions.",
        ),
        wrong(
            "to give long texts more weight",
            "A mean is divided by the number of tokens for just this reason: length should play no part.",
        ),
        wrong(
            "to leave out words without meaning, such as “the”",
            "They count like any others. A 0 in the mask says that there is no token at all.",
        ),
    ),
]  # fmt: skip
