"""The vocabulary of dates: English in full; names and common phrases of German, French and Spanish."""

MONTHS = {
    **dict.fromkeys(("january", "jan", "januar", "jänner", "janvier", "enero", "ene"), 1),
    **dict.fromkeys(("february", "feb", "februar", "février", "fevrier", "febrero"), 2),
    **dict.fromkeys(("march", "mar", "märz", "maerz", "mars", "marzo"), 3),
    **dict.fromkeys(("april", "apr", "avril", "abril"), 4),
    **dict.fromkeys(("may", "mai", "mayo"), 5),
    **dict.fromkeys(("june", "jun", "juni", "juin", "junio"), 6),
    **dict.fromkeys(("july", "jul", "juli", "juillet", "julio"), 7),
    **dict.fromkeys(("august", "aug", "août", "aout", "agosto"), 8),
    **dict.fromkeys(("september", "sept", "sep", "septembre", "septiembre", "setiembre"), 9),
    **dict.fromkeys(("october", "oct", "oktober", "okt", "octobre", "octubre"), 10),
    **dict.fromkeys(("november", "nov", "novembre", "noviembre"), 11),
    **dict.fromkeys(("december", "dec", "dezember", "dez", "décembre", "decembre", "diciembre", "dic"), 12),
}

AMBIGUOUS_MONTHS = frozenset(
    (
        "may march april june august mars mai mayo julio avril marzo "
        "jan feb mar apr jun jul aug sep sept oct nov dec okt dez ene dic"
    ).split()
)
"""Names that are also verbs, people, planets or sauces: a month only next to a day, a year or a preposition."""

PERSON_MONTHS = frozenset("april june august may julio avril".split())
MODAL_MONTHS = frozenset({"may", "march", "mar"})
"""Even after a preposition these are words of their own ("the mood I was in may pass")."""

WEEKDAYS = {
    **dict.fromkeys(("monday", "mon", "montag", "lundi", "lunes"), 0),
    **dict.fromkeys(("tuesday", "tue", "tues", "dienstag", "mardi", "martes"), 1),
    **dict.fromkeys(("wednesday", "wed", "mittwoch", "mercredi", "miércoles", "miercoles"), 2),
    **dict.fromkeys(("thursday", "thu", "thur", "thurs", "donnerstag", "jeudi", "jueves"), 3),
    **dict.fromkeys(("friday", "fri", "freitag", "vendredi", "viernes"), 4),
    **dict.fromkeys(("saturday", "sat", "samstag", "sonnabend", "samedi", "sábado", "sabado"), 5),
    **dict.fromkeys(("sunday", "sun", "sonntag", "dimanche", "domingo"), 6),
}

SHORT_WEEKDAYS = frozenset({"mon", "tue", "tues", "wed", "thu", "thur", "thurs", "fri", "sat", "sun"})
"""Also verbs, the star and French words: a day only with a capital, after "on", "last", "next" or "this"."""

SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}
"""First month of each."""

UNITS = {
    **dict.fromkeys(("minute", "minutes", "min", "mins"), "minute"),
    **dict.fromkeys(("hour", "hours", "hr", "hrs", "stunde", "stunden", "heure", "heures", "hora", "horas"), "hour"),
    **dict.fromkeys(("day", "days", "tag", "tage", "tagen", "jour", "jours", "día", "días", "dia", "dias"), "day"),
    **dict.fromkeys(("night", "nights"), "day"),
    **dict.fromkeys(
        ("week", "weeks", "wk", "wks", "woche", "wochen", "semaine", "semaines", "semana", "semanas"), "week"
    ),
    **dict.fromkeys(("weekend", "weekends", "wochenende"), "weekend"),
    **dict.fromkeys(("month", "months", "monat", "monate", "monaten", "mois", "mes", "meses"), "month"),
    **dict.fromkeys(
        ("year", "years", "yr", "yrs", "jahr", "jahre", "jahren", "an", "ans", "année", "año", "años"), "year"
    ),
    **dict.fromkeys(("decade", "decades"), "decade"),
}

QUANTITIES = {
    **dict.fromkeys(("a", "an", "one", "ein", "eine", "einem", "einer", "einen", "un", "une", "una"), (1, 1)),
    **dict.fromkeys(("two", "zwei", "deux", "dos"), (2, 2)),
    **dict.fromkeys(("a couple of", "a couple", "couple of", "couple", "ein paar"), (2, 3)),
    **dict.fromkeys(("three", "drei", "trois", "tres"), (3, 3)),
    **dict.fromkeys(("a few", "few", "some", "einigen", "quelques", "unos", "unas"), (2, 5)),
    **dict.fromkeys(("several", "mehreren", "plusieurs", "varios", "varias"), (3, 7)),
    **dict.fromkeys(("four", "vier", "quatre", "cuatro"), (4, 4)),
    **dict.fromkeys(("five", "fünf", "cinq", "cinco"), (5, 5)),
    **dict.fromkeys(("six", "sechs", "seis"), (6, 6)),
    **dict.fromkeys(("seven", "sieben", "sept", "siete"), (7, 7)),
    **dict.fromkeys(("eight", "acht", "huit", "ocho"), (8, 8)),
    **dict.fromkeys(("nine", "neun", "neuf", "nueve"), (9, 9)),
    **dict.fromkeys(("ten", "zehn", "dix", "diez"), (10, 10)),
    **{word: (n, n) for n, word in enumerate("eleven twelve thirteen fourteen fifteen sixteen".split(), 11)},
    **{word: (n, n) for n, word in zip((20, 30, 40, 50), "twenty thirty forty fifty".split(), strict=True)},
}
"""Least and most that is meant."""

DIRECTIONS = {
    **dict.fromkeys(
        (
            "last past previous letzte letzten letzter letztes vorige vorigen voriges "
            "dernier dernière passé passée pasado pasada"
        ).split(),
        -1,
    ),
    **dict.fromkeys("this current diese diesen dieser dieses".split(), 0),
    **dict.fromkeys(
        (
            "next coming upcoming nächste nächsten nächster nächstes kommende kommenden "
            "prochain prochaine próximo próxima"
        ).split(),
        1,
    ),
}

NEAR_DAYS = {
    **dict.fromkeys(("the day before yesterday", "day before yesterday", "vorgestern", "anteayer", "avant-hier"), -2),
    **dict.fromkeys(("yesterday", "last night", "gestern", "ayer"), -1),
    **dict.fromkeys(
        "today,tonight,this morning,this afternoon,this evening,heute,hoy,aujourd'hui".split(","),
        0,
    ),
    **dict.fromkeys(("tomorrow", "tmrw", "demain"), 1),
    **dict.fromkeys(("the day after tomorrow", "day after tomorrow", "übermorgen", "après-demain"), 2),
}
"""Only what means one thing: "hier" is also German, "morgen" and "mañana" are also mornings."""

HOLIDAYS = {
    "christmas": (12, 25),
    "christmas eve": (12, 24),
    "boxing day": (12, 26),
    "new year's eve": (12, 31),
    "new year's day": (1, 1),
    "new year's": (1, 1),
    "valentine's day": (2, 14),
    "halloween": (10, 31),
}
"""Those with the same day everywhere, every year: (month, day)."""

DECADES = {"fifties": 1950, "sixties": 1960, "seventies": 1970, "eighties": 1980, "nineties": 1990}

CJK_DAYS = {
    "前天": -2,
    "一昨日": -2,
    "昨天": -1,
    "昨日": -1,
    "今天": 0,
    "今日": 0,
    "明天": 1,
    "明日": 1,
    "后天": 2,
    "明後日": 2,
}
CJK_YEARS = {"去年": -1, "今年": 0, "明年": 1, "来年": 1}
