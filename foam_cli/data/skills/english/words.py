"""Names and things of the English world; the hash of each says on which side of the split it is."""

from foam_cli.data.words import word_list

FIRST_NAMES = word_list("""
Adam Aisha Alice Amir Anna Arjun Astrid Ben Bianca Carla Carlos Chen Clara Dana Daniel David Diego Elena
Elif Emma Eric Esther Fatima Felix Freya George Grace Hana Hannah Hassan Helen Hugo Ibrahim Ines Ivan Jack
Jamal Jana Jonas Julia Kate Kenji Laila Lena Leo Liam Linda Lucas Lucy Maria Mark Maya Mei Mia Michael Mona
Nadia Nina Noah Nora Olga Oliver Omar Oscar Paula Pedro Peter Priya Rachel Rahul Rosa Ruth Sam Sara Simon
Stefan Tara Theo Thomas Tina Tom Vera Victor Yara Yusuf Zoe
""")
LAST_NAMES = word_list("""
Abbott Adler Banerjee Becker Bennett Brandt Carter Castillo Chavez Cohen Dalton Diaz Duarte Ellis Fischer
Fletcher Foster Garcia Grant Haas Hansen Hayes Ito Jensen Kapoor Keller Khan Kim Larsen Lindgren Lopez
Marino Mendes Moreau Nakamura Novak Okafor Olsen Ortega Park Patel Petrov Quinn Ramos Reyes Rossi Sato
Schmidt Silva Singh Sorensen Takeda Turner Vargas Weber Wright Yilmaz Zhang
""")
CITIES = [
    "Amsterdam", "Athens", "Auckland", "Barcelona", "Bergen", "Berlin", "Bogota", "Bologna", "Boston",
    "Bristol", "Brussels", "Budapest", "Cairo", "Cape Town", "Chicago", "Cologne", "Copenhagen", "Dakar",
    "Denver", "Dresden", "Dublin", "Edinburgh", "Florence", "Geneva", "Ghent", "Glasgow", "Graz", "Hamburg",
    "Hanoi", "Helsinki", "Istanbul", "Kyoto", "Leeds", "Leipzig", "Lima", "Lisbon", "Liverpool",
    "Ljubljana", "London", "Lyon", "Madrid", "Manchester", "Marseille", "Melbourne", "Milan", "Montreal",
    "Mumbai", "Munich", "Nairobi", "Naples", "Osaka", "Oslo", "Paris", "Porto", "Prague", "Quito", "Riga",
    "Rome", "Rotterdam", "Salzburg", "Santiago", "Seattle", "Seoul", "Seville", "Singapore", "Sofia",
    "Stockholm", "Sydney", "Tallinn", "Tokyo", "Toronto", "Turin", "Valencia", "Vancouver", "Venice",
    "Vienna", "Vilnius", "Warsaw", "Zagreb", "Zurich",
]  # fmt: skip
STREETS = word_list("""
Acorn Alder Ash Baker Beech Birch Bridge Canal Castle Cedar Chapel Cherry Church Elm Forest Garden Harbour
Hazel High Hill King Lake Linden Maple Market Meadow Mill Oak Orchard Park Pine Poplar Queen River Rose
School Spring Station Victoria Walnut Willow
""")
FOODS = word_list("""
apples apricots avocados bagels bananas beans beetroots biscuits blueberries carrots cherries courgettes
cucumbers dates dumplings eggs figs grapes leeks lemons lentils limes mangoes melons muffins mushrooms
noodles nuts olives onions oranges pancakes peaches pears peas peppers pickles plums potatoes pretzels
radishes raisins rolls tomatoes turnips walnuts
""")
THINGS = word_list("""
backpacks batteries blankets bottles bowls boxes brushes buckets cables candles chairs clocks cups curtains
desks envelopes erasers folders forks hammers helmets jackets keyboards knives ladders lamps locks magnets
maps mirrors monitors mugs nails notebooks paintings pencils pens pillows plates printers ropes rulers
scarves screws shelves shirts spoons stickers tables tents tiles torches towels trays umbrellas vases wheels
""")
ONE_THING = word_list("""
apron badge ball basket bell bicycle book bracelet bucket camera candle coin compass drum envelope flag
flute globe guitar hammer hat kettle key kite ladder lamp letter map medal mirror mug notebook parcel pen
photo ring rope ruler scarf shell spoon stamp telescope ticket torch trophy umbrella vase violin watch
whistle
""")
DISHES = [
    "apple crumble", "bean burritos", "beef stew", "butternut soup", "carrot cake", "cheese fondue",
    "chicken curry", "chickpea salad", "chili", "couscous", "fish pie", "fish tacos", "french toast",
    "fried rice", "gazpacho", "gnocchi", "goulash", "hummus", "lasagne", "leek soup", "lemon tart",
    "lentil soup", "minestrone", "miso soup", "moussaka", "mushroom risotto", "onion tart", "pad thai",
    "paella", "pancakes", "potato gratin", "pumpkin pie", "quiche", "ramen", "ratatouille", "roast chicken",
    "shakshuka", "stuffed peppers", "sushi rolls", "tomato soup", "tiramisu", "vegetable curry", "waffles",
]  # fmt: skip
TOPICS = [
    "ancient trade routes", "battery recycling", "beekeeping", "bird migration", "bridge design",
    "cave paintings", "chess openings", "coffee growing", "coral reefs", "deep-sea fish", "desert plants",
    "early printing", "electric trains", "folk music", "glaciers", "glass blowing", "heat pumps",
    "herb gardens", "jazz piano", "lighthouses", "medieval castles", "meteor showers", "mountain rescue",
    "mushroom growing", "ocean currents", "olive farming", "origami", "paper making", "pottery glazes",
    "rain forests", "river otters", "roman roads", "sailing knots", "salt mines", "sign language",
    "sleep and memory", "soil health", "solar panels", "steam engines", "street art", "sundials",
    "tea ceremonies", "tidal power", "urban farming", "volcanoes", "wind turbines", "wolves",
    "wood carving",
]  # fmt: skip
TITLE_WORDS = word_list("""
Amber Autumn Blue Broken Crimson Distant Empty Final First Forgotten Frozen Gentle Golden Hidden Hollow Last
Little Long Lost Midnight Northern Open Paper Quiet Red Secret Silent Silver Slow Small Stolen Summer Velvet
White Wild Winter
""")
TITLE_NOUNS = word_list("""
Bridge Circle City Coast Door Empire Field Fire Forest Garden Harbour Highway Horizon House Island Journey
Letter Lighthouse Map Mirror Moon Mountain Ocean Orchard Promise River Road Room Sea Shadow Shore Signal Sky
Song Star Station Storm Street Summer Tide Tower Train Valley Village Voyage Window
""")
COMPANY_WORDS = word_list("""
Alpine Anchor Apex Arbor Atlas Beacon Birchwood Bluestone Cascade Cobalt Copperfield Delta Drift Eastgate
Ember Evergreen Falcon Fern Glacier Granite Harbor Hawthorne Ironwood Juniper Keystone Lakeside Lantern
Lumen Magnolia Maple Meridian Nimbus Northwind Orchid Osprey Pinnacle Prairie Quarry Redwood Ridgeway
Riverbend Saffron Sierra Skyline Summit Tidewater Timber Umbra Vertex Westbrook Willow Zephyr
""")
COMPANY_KINDS = word_list(
    "Bakery Books Cafe Foods Garage Hotel Labs Logistics Motors Partners Studio Systems Tools Travel"
)
ERRANDS = [
    "buy {food} and {food2}", "pick up {person} from the station", "call {person} about the {thing}",
    "return the {thing} to {person}", "pay the bill from {company}", "send the photos to {person}",
    "ask {person} about {topic}", "order {food} for {person}", "bring the {thing} to {city}",
    "book a room in {city}", "collect the {thing} from {company}", "prepare the talk on {topic}",
    "repair the {thing}", "water {person}'s plants", "read the article on {topic}",
]  # fmt: skip
MESSAGES = [
    "I will be {number} minutes late", "the {thing} is still at my place",
    "please bring {food} to the party", "the train to {city} leaves from platform {number}",
    "can we talk about {topic} tomorrow?", "{person} is looking for you", "I found your {thing}",
    "dinner is ready, we made {dish}", "the parcel from {company} has arrived", "thanks for the {food}",
    "I am already in {city}", "could you lend me your {thing}?", "the meeting with {person} is cancelled",
    "happy birthday from all of us in {city}", "we need {number} more {food}",
]  # fmt: skip
