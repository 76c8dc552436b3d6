"""A wine list to search: 60 descriptions and 20 questions, each with its right answers.

Every winery and every wine is invented, and the list was written for this course. It says nothing of how to
search: ``helpers.search`` does that.

How the right answers were decided: by reading the list from top to bottom, one question at a time, before any
search was run. A wine is right if its name or its text says what the question asks for, in the same words or in
others ("for mussels and clams" answers "wine for seafood"). A wine that is silent about it is not right: only those
that call themselves dry answer "not sweet". Texts and answers were not changed after the first search.

What it leaves out: degrees of right and wrong. Real collections grade their answers (Voorhees and Harman, "TREC",
2005, chapter 3).
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Wine:
    """One line of the wine list."""

    name: str  # winery, grape or style, and often the year of the harvest
    text: str  # what the list says about it
    colour: Literal["red", "white", "pink"]
    country: str
    price: int  # euros a bottle

    @property
    def document(self) -> str:
        """What is searched: the name, then the text.

        >>> WINES[0].document
        'Saltwhistle Albariño 2022. Good with fish, above all straight off the boat. Bright, with a salty edge.'
        """
        return f"{self.name}. {self.text}"


@dataclass(frozen=True)
class Question:
    """What a guest asks for, and the names of the wines that answer it."""

    text: str
    kind: Literal["meaning", "word", "not"]  # by meaning; by a name, grape or year; by what is absent
    right: tuple[str, ...]


WINES = (
    Wine("Saltwhistle Albariño 2022", "Good with fish, above all straight off the boat. Bright, with a salty edge.", "white", "Spain", 14),
    Wine("Pebblewick Muscadet 2021", "Lean and chalky. Open it with a dozen oysters and a slice of brown bread.", "white", "France", 12),
    Wine("Otterby Picpoul 2023", "Pale and brisk, made for mussels, clams and a view of the harbour.", "white", "France", 10),
    Wine("Candlewren Rose Garden 2023", "Strawberry and rosewater. Serve it cool beside grilled prawns.", "pink", "Spain", 11),
    Wine("Copperthimble Pinot Noir 2020", "So light that you can see through it, and happy next to salmon or tuna.", "red", "New Zealand", 19),
    Wine("Brindlemoor Fino", "Bone dry and tangy, for salted almonds and anchovies.", "white", "Spain", 13),
    Wine("Larkspindle Gewürztraminer 2021", "Lychee, roses and ginger. Its touch of sugar tames a hot chilli sauce.", "white", "Germany", 15),
    Wine("Mossgate Riesling 2021", "Off-dry, with peach and lime. A friend of spicy Thai noodles.", "white", "Germany", 16),
    Wine("Hollow Bell Grenache 2020", "Soft plum and pepper, with fruit enough to stand up to a vindaloo.", "red", "Australia", 13),
    Wine("Tumbledown Owl Chenin 2022", "Quince and honey, for coconut, turmeric and a bowl of lentil dal.", "white", "South Africa", 11),
    Wine("Brindlemoor Shiraz 2018", "Dark, warming and full. Best by the fire while snow falls outside.", "red", "Australia", 22),
    Wine("Hollow Bell Tawny", "Walnut and toffee in a small glass. It takes the chill out of a January night.", "red", "Portugal", 18),
    Wine("Quillback Malbec 2019", "Thick with blackberry and cocoa, for slow stews, wool blankets and rain on the roof.", "red", "Argentina", 15),
    Wine("Candlewren Brut", "Fine bubbles and toasted bread, for weddings, anniversaries and every good toast.", "white", "France", 32),
    Wine("Larkspindle Pink Brut 2020", "Raspberry bubbles that pop like confetti. Bring it when there are candles on the cake.", "pink", "England", 28),
    Wine("Pebblewick Spumante", "Cheerful froth, pear and white flowers. Pour it when somebody has passed an exam.", "white", "Italy", 12),
    Wine("Old Ferry Cabernet 2012", "Still stern after all this time. Leave it in the dark for another decade.", "red", "France", 55),
    Wine("Tumbledown Owl Nebbiolo 2016", "Tar and dried roses. Its tannins ask for patience: wait until 2040.", "red", "Italy", 48),
    Wine("Mossgate Riesling 2012", "Steel and petrol today. Well stored, it will outlive whoever buys it.", "white", "Germany", 40),
    Wine("Quillback Vintage 2012", "Dark as ink, and fierce while it is young. Lay it down for your grandchildren.", "red", "Portugal", 60),
    Wine("Otterby Late Harvest 2019", "Apricot jam and honey. Half a glass takes the place of pudding.", "white", "France", 24),
    Wine("Candlewren Muscat", "Orange blossom and syrup, to pour over ice cream or beside a fruit tart.", "white", "Greece", 13),
    Wine("Copperthimble Ice Riesling 2019", "Picked frozen, at dawn. As sweet as peach nectar, for the end of the meal.", "white", "Canada", 38),
    Wine("Hollow Bell Ruby", "Sweet cherries and chocolate, made for the last bite of a brownie.", "red", "Portugal", 14),
    Wine("Mossgate Barbera 2021", "Juicy and bright, at home with baked aubergine and tomato.", "red", "Italy", 13),
    Wine("Larkspindle Verdejo 2022", "Fennel and green apple, for asparagus, peas and young goat's cheese.", "white", "Spain", 10),
    Wine("Quillback Pinot Noir 2019", "Forest floor and cherries. Lovely with a mushroom risotto.", "red", "Chile", 17),
    Wine("Pebblewick Grüner Veltliner 2022", "Fresh herbs and a pinch of pepper: the one for a big salad or roast vegetables.", "white", "Austria", 14),
    Wine("Old Ferry Sauvignon 2023", "Grapefruit and cut grass, sharp as a morning in May.", "white", "New Zealand", 13),
    Wine("Brindlemoor Riesling 2022", "Lime juice and wet stone, dry as a desert.", "white", "Australia", 15),
    Wine("Otterby Vermentino 2022", "Lemon peel and wild thyme, with a gentle bitter end.", "white", "Italy", 12),
    Wine("Tumbledown Owl Zero White", "All the alcohol was taken out, the gooseberry stayed. For whoever drives tonight.", "white", "Germany", 8),
    Wine("Copperthimble Zero Red", "Bramble and spice with 0.0 on the label: safe for the car, and for lunch at work.", "red", "Spain", 8),
    Wine("Candlewren Grape Fizz", "Pressed grapes and bubbles, never fermented. Children may have a second glass.", "white", "France", 6),
    Wine("Saltwhistle Pale Pink 2023", "Watermelon and mint under a screw cap. You bring the blanket, the basket and the sun.", "pink", "France", 9),
    Wine("Hollow Bell Gamay 2022", "Chill it for half an hour and take it to the park with bread and ham.", "red", "France", 12),
    Wine("Mossgate Vinho Verde 2023", "Light as a cloud, with a prickle on the tongue. A picnic bottle for hot days.", "white", "Portugal", 7),
    Wine("Copperthimble Zinfandel 2020", "Smoke and jam. Think of ribs, charcoal and sticky fingers.", "red", "United States", 16),
    Wine("Larkspindle Tempranillo 2019", "A year in oak gave it leather and vanilla. For lamb chops off the grill.", "red", "Spain", 15),
    Wine("Old Ferry Malbec 2021", "Built for a thick steak and open flames.", "red", "Argentina", 18),
    Wine("Pebblewick Syrah 2020", "No sprays and no weedkiller: sheep keep the grass short between the vines.", "red", "France", 17),
    Wine("Tumbledown Owl Garganega 2022", "The cellar runs on sunlight, and the bottle weighs half of the usual. Almond and pear.", "white", "Italy", 11),
    Wine("Brindlemoor Merlot 2021", "Certified organic, in recycled glass. Soft plums.", "red", "Chile", 10),
    Wine("Quillback House Red", "Nothing grand: a friendly glass for a Tuesday that costs less than a sandwich.", "red", "Spain", 5),
    Wine("Otterby House White", "Plain, crisp and kind to the purse.", "white", "Portugal", 5),
    Wine("Candlewren Carafe Red", "For long tables and small budgets. It goes with whatever is in the pot.", "red", "Italy", 6),
    Wine("Saltwhistle Sangiovese 2021", "Sour cherry and oregano. Pizza night is its hour.", "red", "Italy", 11),
    Wine("Copperthimble Montepulciano 2021", "A sturdy red for pizza, lasagne and loud friends.", "red", "Italy", 9),
    Wine("Hollow Bell Primitivo 2022", "Ripe figs. A pizza with too much salami won't scare it.", "red", "Italy", 10),
    Wine("Old Ferry Tempranillo 2012", "Two years in oak and many more in the bottle: tobacco, cedar, a long memory.", "red", "Spain", 34),
    Wine("Mossgate Tempranillo 2022", "Bottled young from a steel tank: no oak, only cherries.", "red", "Spain", 9),
    Wine("Larkspindle Chardonnay 2020", "Butter, toast and vanilla from new oak barrels.", "white", "United States", 26),
    Wine("Quillback Chardonnay 2022", "Kept in steel, far from any barrel: apple, chalk and a clean end.", "white", "France", 18),
    Wine("Otterby Dolcetto 2022", "Raised in concrete, without a splinter of wood. Violets and black cherry.", "red", "Italy", 12),
    Wine("Tumbledown Owl Saperavi 2021", "Made in clay jars and never put in a barrel. Olive and blueberry.", "red", "Georgia", 14),
    Wine("Brindlemoor Semillon 2018", "Wax and lemon curd, a partner for hard cheese and crackers.", "white", "Australia", 17),
    Wine("Pebblewick Cabernet 2018", "Blackcurrant and cedar, firm enough for old cheddar.", "red", "Chile", 16),
    Wine("Candlewren Assyrtiko 2021", "Volcanic ash and lemon, with a slice of feta.", "white", "Greece", 15),
    Wine("Saltwhistle Brut Nature 2019", "No sugar added and none left: stern bubbles for people who take their tea black.", "white", "Spain", 20),
    Wine("Copperthimble Amber 2021", "White grapes left on their skins for months: dried apricot, black tea and grip.", "white", "Georgia", 21),
)  # fmt: skip


QUESTIONS = (
    Question("wine for seafood", "meaning", (
        "Saltwhistle Albariño 2022", "Pebblewick Muscadet 2021", "Otterby Picpoul 2023", "Candlewren Rose Garden 2023",
        "Copperthimble Pinot Noir 2020", "Brindlemoor Fino")),
    Question("a drink for a cold winter evening", "meaning", (
        "Brindlemoor Shiraz 2018", "Hollow Bell Tawny", "Quillback Malbec 2019")),
    Question("goes well with curry", "meaning", (
        "Larkspindle Gewürztraminer 2021", "Mossgate Riesling 2021", "Hollow Bell Grenache 2020",
        "Tumbledown Owl Chenin 2022")),
    Question("to celebrate a birthday", "meaning", (
        "Candlewren Brut", "Larkspindle Pink Brut 2020", "Pebblewick Spumante")),
    Question("keep it in the cellar for twenty years", "meaning", (
        "Old Ferry Cabernet 2012", "Tumbledown Owl Nebbiolo 2016", "Mossgate Riesling 2012", "Quillback Vintage 2012")),
    Question("instead of dessert", "meaning", (
        "Otterby Late Harvest 2019", "Candlewren Muscat", "Copperthimble Ice Riesling 2019", "Hollow Bell Ruby")),
    Question("a dinner of vegetables", "meaning", (
        "Tumbledown Owl Chenin 2022", "Mossgate Barbera 2021", "Larkspindle Verdejo 2022", "Quillback Pinot Noir 2019",
        "Pebblewick Grüner Veltliner 2022")),
    Question("tastes of citrus", "meaning", (
        "Mossgate Riesling 2021", "Old Ferry Sauvignon 2023", "Brindlemoor Riesling 2022", "Otterby Vermentino 2022",
        "Brindlemoor Semillon 2018", "Candlewren Assyrtiko 2021")),
    Question("I have to drive home afterwards", "meaning", (
        "Tumbledown Owl Zero White", "Copperthimble Zero Red", "Candlewren Grape Fizz")),
    Question("a bottle for the park on a hot day", "meaning", (
        "Saltwhistle Pale Pink 2023", "Hollow Bell Gamay 2022", "Mossgate Vinho Verde 2023")),
    Question("barbecue in the garden", "meaning", (
        "Copperthimble Zinfandel 2020", "Larkspindle Tempranillo 2019", "Old Ferry Malbec 2021")),
    Question("good for the planet", "meaning", (
        "Pebblewick Syrah 2020", "Tumbledown Owl Garganega 2022", "Brindlemoor Merlot 2021")),
    Question("cheap everyday glass", "meaning", (
        "Quillback House Red", "Otterby House White", "Candlewren Carafe Red")),
    Question("Riesling", "word", (
        "Mossgate Riesling 2021", "Mossgate Riesling 2012", "Copperthimble Ice Riesling 2019",
        "Brindlemoor Riesling 2022")),
    Question("2012", "word", (
        "Old Ferry Cabernet 2012", "Mossgate Riesling 2012", "Quillback Vintage 2012", "Old Ferry Tempranillo 2012")),
    Question("Tumbledown Owl", "word", (
        "Tumbledown Owl Chenin 2022", "Tumbledown Owl Nebbiolo 2016", "Tumbledown Owl Zero White",
        "Tumbledown Owl Garganega 2022", "Tumbledown Owl Saperavi 2021")),
    Question("Tempranillo", "word", (
        "Larkspindle Tempranillo 2019", "Old Ferry Tempranillo 2012", "Mossgate Tempranillo 2022")),
    Question("a red for pizza", "word", (
        "Saltwhistle Sangiovese 2021", "Copperthimble Montepulciano 2021", "Hollow Bell Primitivo 2022")),
    Question("not sweet", "not", (
        "Brindlemoor Fino", "Brindlemoor Riesling 2022", "Saltwhistle Brut Nature 2019")),
    Question("without oak", "not", (
        "Mossgate Tempranillo 2022", "Quillback Chardonnay 2022", "Otterby Dolcetto 2022",
        "Tumbledown Owl Saperavi 2021")),
)  # fmt: skip
