"""What was said in a language is found by other words of that language, by words alone: the embedder knows none."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from memcairn.core.deps import Deps
from memcairn.core.ingest import ingest
from memcairn.core.recall import Recalls
from memcairn.core.search import SearchQuery, search
from memcairn.domain.events import NewEvent
from memcairn.domain.keys import Principal
from memcairn.providers.static import StaticEmbedder
from tests.build import make
from tests.core.talk import process

pytestmark = pytest.mark.anyio

ENGLISH = (
    "My sister repairs old typewriters in her garage.",
    "We harvested the first apricots on Sunday.",
    "The choir rehearses in the chapel.",
)
GERMAN = (
    "Meine Tochter hat gestern ihre Fahrprüfung bestanden.",
    "Die Äpfel lagern im Keller der Großmutter.",
    "Herr Müller hat den Ofen repariert, aber die Straße war gesperrt.",
)
FRENCH = (
    "Mon frère élève des chèvres dans les Cévennes.",
    "Nous avons réservé les billets pour l'opéra.",
    "La boulangère ouvre à six heures, même l'été.",
)
SPANISH = (
    "Mi abuela cocinaba lentejas los viernes.",
    "Alquilamos una casita cerca del río Miño.",
    "Los niños nadan en la piscina municipal.",
)
CHINESE = ("我妹妹在上海学习钢琴。", "上个周末我们去爬了黄山。", "他对花生过敏，不能吃花生酱。")
JAPANESE = ("妹は大阪でギターを習っています。", "週末に富士山に登りました。", "彼はエビにアレルギーがあります。")
MIXED = (
    "昨天我把 MacBook 送去修理了。",
    "来週の会議は Zoom でお願いします。",
    "Der neue Kollege aus 東京 spricht fließend Deutsch.",
    "Мы встретились возле café «Lumière».",
)


async def first(deps: Deps, principal: Principal, said: Sequence[str], question: str) -> int:
    """Which of the texts said a question finds first."""
    await ingest(deps, principal, [make(NewEvent, content=text, session_id=f"s{at}") for at, text in enumerate(said)])
    [best] = await search(deps, Recalls(), principal, SearchQuery(question, limit=1))
    assert best.event is not None
    assert best.explanation is None
    return list(said).index(best.event.content)


@pytest.mark.parametrize(
    ("said", "question", "expected"),
    [
        (ENGLISH, "Who repaired a typewriter?", 0),
        (ENGLISH, "When were the apricots harvested?", 1),
        (ENGLISH, "chapels and rehearsal rehearsing", 2),
        (GERMAN, "Welche Prüfungen haben die Töchter bestanden? Fahrprüfungen?", 0),
        (GERMAN, "Wo lagert der Apfel?", 1),
        (GERMAN, "Wer hat die Öfen repariert? Mueller?", 2),
        (GERMAN, "Welche Strassen waren gesperrt?", 2),
        (GERMAN, "GROSSMUTTER", 1),
        (FRENCH, "Qui élevait une chèvre ?", 0),
        (FRENCH, "Quel billet a été reserve pour l’opera ?", 1),
        (FRENCH, "A quelle heure est-ce que les boulangères ouvrent ?", 2),
        (SPANISH, "¿Qué cocinó la abuela? ¿Una lenteja?", 0),
        (SPANISH, "¿Dónde alquilaron las casitas? ¿En el Mino?", 1),
        (SPANISH, "¿Dónde nadaba el niño?", 2),
        (CHINESE, "谁在学钢琴？", 0),
        (CHINESE, "我们什么时候爬的黄山？", 1),
        (CHINESE, "花生", 2),
        (JAPANESE, "ギターを習っているのは誰ですか。", 0),
        (JAPANESE, "富士山にはいつ登った？", 1),
        (JAPANESE, "ｱﾚﾙｷﾞｰ", 2),
        (MIXED, "ＭａｃＢｏｏｋ修理", 0),
        (MIXED, "会議はｚｏｏｍですか", 1),
        (MIXED, "Wer kommt aus 東京?", 2),
        (MIXED, "LUMIERE", 3),
        (MIXED, "встретились кафе возле", 3),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
async def test_a_question_finds_what_was_said_in_its_language(
    deps: Deps, principal: Principal, said: Sequence[str], question: str, expected: int
) -> None:
    assert await first(deps, principal, said, question) == expected


@pytest.mark.parametrize(
    ("said", "question", "expected"),
    [
        (
            ("Mein Zahnarzttermin ist am Montag.", "Der Bäcker hat zu.", "Der Zug kam pünktlich."),
            "Wann muss ich zum Zahnarzt?",
            0,
        ),
        (
            ("Die Haustür klemmt.", "Wir haben den Kinderwagen verkauft.", "Das Wetter ist schön."),
            "Wer hat den Wagen der Kinder gekauft?",
            1,
        ),
    ],
)
async def test_german_compounds_are_found_by_their_parts_through_their_meaning(
    deps: Deps, principal: Principal, said: Sequence[str], question: str, expected: int
) -> None:
    deps = replace(deps, embedder=StaticEmbedder())
    await ingest(deps, principal, [make(NewEvent, content=text, session_id=f"s{at}") for at, text in enumerate(said)])
    await process(deps)

    [best] = await search(deps, Recalls(), principal, SearchQuery(question, limit=1))

    assert best.memory is not None
    assert best.memory.text == said[expected]
