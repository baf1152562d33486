"""The conversation of the scenarios: twelve messages, one window full."""

TALK = [
    ("human", "I keep two cats, Miso and Tofu."),
    ("ai", "Lovely names! How old are they?"),
    ("human", "Miso is four and Tofu is nine."),
    ("ai", "Do they get along with each other?"),
    ("human", "Mostly. They fight over the window seat."),
    ("ai", "A second cushion might settle that."),
    ("human", "We decided to buy a blue one on Saturday."),
    ("ai", "Good decision. Where will you put it?"),
    ("human", "Next to the radiator in the study."),
    ("ai", "Warm and quiet, they will like it."),
    ("human", "Tofu also needs new food from the vet."),
    ("ai", "Is it for her kidneys?"),
]
