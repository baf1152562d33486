"""Words that carry grammar rather than content, per language: to guess a language by, and to leave out of queries."""

ENGLISH = frozenset(
    """
    a about after again all also am among an and any anybody anyone anything are aren as at be because been before being
    between both but by can cannot could couldn did didn do does doesn doing don done during each either else ever
    every for from further had hadn has hasn have haven having he her here hers herself him himself his how i if in
    into is isn it its itself just let ll many may me might more most much must my myself neither no nor not of off
    on once only or other our ours ourselves out over own per please quite rather re s shall she should shouldn since
    so some somebody someone something such t tell than that the their theirs them themselves then there these they
    this those though through to too toward towards under until up upon us ve very via was wasn we were weren what
    whatever when whenever where wherever whether which whichever while who whoever whom whose why will with within
    without won would wouldn yes yet you your yours yourself yourselves
    """.split()
)

GERMAN = frozenset(
    """
    aber alle allem allen aller alles als also am an ander andere anderen auch auf aus bei beim bin bis bist da damit
    dann das dass dein deine deinem deinen deiner dem den denn der des deren dessen dich die dies diese diesem diesen
    dieser dieses dir doch dort du durch ein eine einem einen einer eines er es etwas euch euer eure fur für gegen
    gewesen hab habe haben hast hat hatte hatten hattest hier hin hinter ich ihm ihn ihnen ihr ihre ihrem ihren ihrer im
    in indem ins ist ja jede jedem jeden jeder jedes jene jener kann kannst kein keine keinem keinen keiner können
    konnte machen man manche mein meine meinem meinen meiner mich mir mit muss musste nach nicht nichts noch nun nur ob
    oder ohne sehr sein seine seinem seinen seiner seit sich sie sind so solche soll sollte sondern sonst über um und
    uns unser unsere unserem unseren unter viel viele vom von vor wann war waren warum was weil welche welchem welchen
    welcher welches wem wen wenn wer werde werden wessen weswegen wie wieder wieso will wir wird wirst wo wohin woher
    wollen wollte worden wurde wurden würde würden zu zum zur zwar zwischen
    """.split()
)

FRENCH = frozenset(
    """
    ai aie ainsi alors as au aucun aucune aura aurait aussi autre autres aux avaient avait avant avec avez avoir avons
    bien c ca ça car ce ceci cela celle celles celui ces cet cette ceux chaque chez comme comment d dans de depuis des
    donc dont du elle elles en encore entre est et etait était etaient étaient ete été etes êtes etre être eu eux fait
    faire fois font furent fut il ils j je jusque l la laquelle le lequel les lesquels leur leurs lui m ma mais me
    meme même mes mien moi moins mon n ne ni nos notre nous on ont ou où par parce pas pendant peu peut plus pour
    pourquoi pouvez quand que quel quelle quelles quels quelque qui quoi s sa sans se sera serait ses si sien soi soit
    son sont sous suis sur t ta tandis te tes toi ton tous tout toute toutes tres très tu un une va vers voici voila
    vont vos votre vous y
    """.split()
)

SPANISH = frozenset(
    """
    a al algo alguien algun alguna algunas alguno algunos ante antes aquel aquella aquello aqui asi aun aunque bajo bien
    cada casi como cómo con contra cual cuál cuales cuales cuando cuándo cuanta cuantas cuanto cuánto cuantos cuántos de
    del desde donde dónde dos durante e el él ella ellas ello ellos en entonces entre era eran eras es esa esas ese eso
    esos esta está estaba estaban estan están estar estas este esto estos estoy fue fueron fui ha habia había haber
    han has hasta hay he hemos hizo la las le les lo los mas más me mi mia mientras mio mis mucha muchas mucho muchos
    muy nada ni no nos nosotros nuestra nuestras nuestro nuestros o os otra otras otro otros para pero poco por porque
    pues que qué quien quién quienes se sea ser si sí sido sin sino sobre sois somos son soy su sus suya suyo tal
    también tambien tampoco tan tanto te tengo ti tiene tienen toda todas todo todos tu tus tuvo un una unas uno unos
    usted ustedes va vosotros y ya yo
    """.split()
)

BY_LANGUAGE = {"english": ENGLISH, "german": GERMAN, "french": FRENCH, "spanish": SPANISH}
