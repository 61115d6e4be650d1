"""Letters as files, for demonstrations."""

from pathlib import Path

import pytest

from mfa_gate.core.errors import MailUnavailable
from mfa_gate.flows.posting import Letter
from mfa_gate.mail.folder import FolderPost

LETTER = Letter(id="l1", to="alice@example.org", content=b"Subject: Hello\r\n\r\nDear Alice\r\n")


def test_every_letter_is_a_file(tmp_path: Path) -> None:
    with FolderPost(tmp_path / "a" / "mail").line() as line:
        assert line.offer(LETTER) is None
        assert line.send() is None
        line.offer(LETTER)
        assert line.send() is None
    (file,) = (tmp_path / "a" / "mail").iterdir()
    assert file.name == "l1.eml"
    assert file.read_bytes() == LETTER.content


def test_what_is_withdrawn_is_not_written(tmp_path: Path) -> None:
    with FolderPost(tmp_path).line() as line:
        line.offer(LETTER)
        line.withdraw()
        with pytest.raises(ValueError, match="Offer a letter first"):
            line.send()
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MailUnavailable, match=r"\[mail\] dir"), FolderPost(tmp_path / "file" / "mail").line():
        pass


def test_a_folder_that_goes_away(tmp_path: Path) -> None:
    folder = tmp_path / "mail"
    with FolderPost(folder).line() as line:
        line.offer(LETTER)
        folder.rmdir()
        with pytest.raises(MailUnavailable, match="No such file"):
            line.send()


def test_a_folder_in_which_nothing_can_be_made() -> None:
    with pytest.raises(MailUnavailable, match=r"\[mail\] dir"), FolderPost(Path("/proc")).line():
        pass
