"""The questions of the quizzes, by notebook: change, add or take away as you like.

``choose`` asks for one of several; each choice is ``right(...)`` or ``wrong(...)`` with the sentence that the learner
then reads. ``match`` brings two columns together: what stands on the left, what belongs to it, and a sentence about
that. A learner may try everything, so a wrong choice deserves the best sentence of all: it says what the choice would
be right for.
"""

from helpers.explorers.quiz import Question, choose, match, right, wrong

QUESTIONS: dict[str, list[Question]] = {
    "00": [
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
    ],
    "00-gpt": [
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
    ],
    "01": [
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
    ],
}  # fmt: skip
