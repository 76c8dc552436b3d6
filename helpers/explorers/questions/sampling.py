"""The questions of notebook 07."""

from helpers.explorers.quiz import choose, match, right, wrong

QUESTIONS = [
    match(
        "What is left of a model's odds at this setting?",
        ("temperature 0", "the best token alone", "Every difference is divided by nearly nothing, and the best wins by any distance. That is greedy."),
        ("temperature 1", "exactly what the model has said", "Dividing by 1 changes nothing. These are the odds that it was trained for."),
        ("a temperature without end", "the same for every token", "Every difference is divided away. All 49,152 tokens of SmolLM2 are then as likely as each other."),
        ("top-k of 1", "the best token alone, too" , "One token is kept, and it gets everything. Greedy has two names."),
    ),
    choose(
        "You sample with top-p 0.9. After “The capital of France is” the model is sure, after “My favourite thing is” it is not. How many tokens does the cut leave?",
        wrong(
            "the same number both times, that is what the 0.9 sets",
            "Top-k works so: it keeps 40 tokens, whether the model is sure or not.",
        ),
        wrong(
            "90 % of the vocabulary both times",
            "The 0.9 is a share of the probability, not of the tokens. A handful of tokens may hold 90 % of it.",
        ),
        right(
            "few after the first, many after the second",
            "It keeps the fewest that hold 90 % together. Where one token has nearly all, few are needed.",
        ),
        wrong(
            "many after the first, few after the second",
            "It is the other way round: where the odds are flat, it takes many tokens to reach 90 %.",
        ),
    ),
    choose(
        "Greedy decoding has just written “the best way to learn is to learn the best way to learn is to” and goes on like that. Why doesn't it get out?",
        right(
            "a text that repeats itself makes one more repetition likelier still, and greedy never takes another token",
            "The model reads its own text as evidence of what kind of text it is. A roll of the dice could leave the loop, the best token can't.",
        ),
        wrong(
            "the model has forgotten what it wrote before",
            "It sees all of it, and that is the trouble: heads that copy find the last time and offer what followed it.",
        ),
        wrong(
            "the cache is full, so it reads the same old keys again",
            "A cache changes how fast the same tokens come, and never which ones.",
        ),
        wrong(
            "the seed is stuck: another one would give another text",
            "Greedy throws no dice, so that a seed changes nothing. With a temperature above 0 it would.",
        ),
    ),
    choose(
        "With a key/value cache SmolLM2 writes a long text much faster. What does the cache change about the text?",
        wrong(
            "it gets a little worse, because old words are stored with fewer digits",
            "They can be stored so, to save memory, but that is another trick. A plain cache keeps every digit.",
        ),
        wrong(
            "it sticks more closely to its beginning, which is remembered better",
            "Keys and values are looked up with the same weights, whether they were stored or worked out again.",
        ),
        wrong(
            "it gets shorter, because the memory fills up",
            "The memory does fill up, and at some length that is a limit. Up to there the text is not touched.",
        ),
        right(
            "nothing: it saves working out again what can't have changed",
            "A word sees only what stands before it, so that its keys and values stay as they are when the text grows.",
        ),
    ),
    choose(
        "Two people run the same prompt with the same model at temperature 0.8. What must they share to get the same text?",
        wrong(
            "nothing more: the model is the same, so its answer is",
            "The odds are the same. But the dice that are thrown with these odds are each person's own.",
        ),
        right(
            "the seed of the dice, and all settings such as top-p",
            "Then the same odds meet the same throws. Only on another processor a last digit may differ, and tip a throw that falls right on an edge.",
        ),
        wrong(
            "the temperature 0: only then is anything repeatable",
            "At 0 no seed is needed. With a seed, any temperature can be repeated.",
        ),
        wrong(
            "the number of tokens that they ask for",
            "It decides where the text ends. Two texts of different lengths with the same seed begin alike.",
        ),
    ),
    choose(
        "You put three solved examples in front of a question, and more of the answers are right. What has happened inside the model?",
        wrong(
            "it was trained on the three examples",
            "No weight has changed. In the next prompt the examples are gone, as if they had never been.",
        ),
        wrong(
            "the temperature went down, because it knows what is wanted",
            "The temperature is yours to set, and the prompt doesn't move it. The odds got sharper by themselves.",
        ),
        right(
            "nothing that lasts: the examples are context, and context moves the odds",
            "They show what form an answer has and which words may come. The weights stay as they were.",
        ),
        wrong(
            "it has looked the three examples up, and copied the answer from them",
            "The right answer wasn't among them. With a small model they may help with the form more than with the matter.",
        ),
    ),
    choose(
        "Asked about a person who doesn't exist, a model gives a birthplace, and the token with the name of the town had 60 %. What do the 60 % say?",
        wrong(
            "that the town is right with a chance of 60 %",
            "Nobody was born there. The number is about words, and the model can't look anything up.",
        ),
        wrong(
            "that the model knows it is inventing: a true answer has 99 %",
            "True answers often have less, since there are several ways to say them. High and low are found on both sides.",
        ),
        wrong(
            "that it has read about this person in six of ten texts",
            "It has read nothing about anyone invented. What it has read is how sentences about people go on.",
        ),
        right(
            "how well the town fits as the next word, after such a sentence",
            "Somebody of that name, in a sentence like this, might come from there. How likely a word is and how true are two things.",
        ),
    ),
]  # fmt: skip
