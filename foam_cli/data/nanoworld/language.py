"""Words that a language model knows before it learns any skill.

The base reads and repeats them in rows, in no order and to no purpose, so that their tokens mean something
to it. A large model has met such words in its pretraining; into which sentences a skill puts them, the base
never sees.
"""

from foam_cli.data.words import word_list

WORDS = word_list("""
about admit alarm all an answer arguments arrange asking assistant at author be begin behind booking
braille built bulb buy cab call called car change check company could countdown day describe destination
developed dial diesel dim dinner dish doing down drive dynamite end engine flight flights fly forecast get
give given gives going good goodbye google guests happy hear hello holds hotel how if introduce jot keep
kind kindly know known lab language leave less let level meet meeting message more much must next nice
nights not note notes now numbers on online order origin pages passes phone pieces plan plane planes play
please points present put query question quickly radio rains recipe remind remove repeat reserve
restaurant result ride right run save schedule search seat seats see sees send set share shares shine
should small so some something song speak stands start state stock sum takes talking taxi telephone tell
thanks then there think this time timer today together top total trained translate tune twice us value
wake was weather web welcome were what where which whom will words work write your yourself Add Admit
Alexa Alexander Alfred Am Are Arrange Arthur Bard Bell Berners Book Bring Buy By Call Can Change ChatGPT
Check Claude Conan Copilot Cortana Could Count DeepSeek Describe Dial Dim Do Don Doyle Edison Find Fly Foam
Frankenstein Gemini Get Goodbye Google Graham Grok Guernica Hamlet Here Hey Hi Holmes Introduce Is Jot
Just Keep Kindly Lab Larry Lee Let Linux Lisa Llama Look Mary Meet Message Mistral Mona My No Nobel Note
Numbers One Order Perl Phone Place Plan Play Please Points Python Quixote Qwen Remind Reserve Ring Run
Save Schedule Search See Send Set Shakespeare Shelley Sherlock Show Siri So State Tell Text Thank Then
Think Thomas Tim Time Tools Translate Turn Wake Wall Web Well Wide Will William With World Would Your
""")
