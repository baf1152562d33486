"""Time stamps in the forms chat exports write them."""

from datetime import UTC, datetime

import pytest

from memcairn.cli.said_at import MomentReader
from memcairn.domain.errors import Invalid


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2:05 pm on 3 March, 2021", datetime(2021, 3, 3, 14, 5, tzinfo=UTC)),
        ("12:10 am on 3 March, 2021", datetime(2021, 3, 3, 0, 10, tzinfo=UTC)),
        ("03.04.2021, 00:51:12", datetime(2021, 4, 3, 0, 51, 12, tzinfo=UTC)),
        ("2021/05/30 (Sun) 11:49", datetime(2021, 5, 30, 11, 49, tzinfo=UTC)),
        ("March-15-2021", datetime(2021, 3, 15, tzinfo=UTC)),
        ("March 15th, 2021 at 9:30 AM", datetime(2021, 3, 15, 9, 30, tzinfo=UTC)),
        ("Sunday, 30 May 2021 11:49", datetime(2021, 5, 30, 11, 49, tzinfo=UTC)),
        ("5/30/2021 7 pm", datetime(2021, 5, 30, 19, tzinfo=UTC)),
        ("30/5/2021", datetime(2021, 5, 30, tzinfo=UTC)),
        ("2021-05-30", datetime(2021, 5, 30, tzinfo=UTC)),
        ("2021-05-30T11:49:00Z", datetime(2021, 5, 30, 11, 49, tzinfo=UTC)),
        ("2021-05-30T11:49:00+02:00", datetime(2021, 5, 30, 9, 49, tzinfo=UTC)),
    ],
)
def test_every_common_form_is_read_as_utc(written: str, moment: datetime) -> None:
    assert MomentReader().read(written) == moment


def test_one_reader_reads_forms_that_alternate() -> None:
    reader = MomentReader()

    read = [reader.read(written) for written in ("03.04.2021", "March-15-2021", "03.04.2021", "2021-01-01")]

    assert [moment.month for moment in read] == [4, 3, 4, 1]


@pytest.mark.parametrize("written", ["", "yesterday", "32.01.2021", "2021", "13:61 on 3 March, 2021"])
def test_what_fits_no_form_is_refused_with_one_that_does(written: str) -> None:
    with pytest.raises(Invalid, match="ISO 8601"):
        MomentReader().read(written)
