"""Progress for a browser: written seldom, but every method at once, with the time left."""

from __future__ import annotations

import numpy as np

from cuello.run import Silent
from cuello.run.folder import RunFolder
from cuello.run.live import LiveProgress


def test_steps_are_written_seldom_and_methods_at_once(tmp_path, monkeypatch):
    folder, now = RunFolder(tmp_path), [100.0]
    monkeypatch.setattr("cuello.clock.now", lambda: now[0])
    live = LiveProgress(folder, Silent(), np.zeros((3, 2)))

    def written():
        (record,) = folder.read_lines("progress.jsonl")
        return record["stage"], record["done"], record["detail"], record["seconds_left"]

    live.update("autoencoder", 1, 10)
    live.update("autoencoder", 2, 10, "epoch 1 of 5")
    assert written() == ("autoencoder", 1, "", None)
    now[0] += 2.0
    live.update("autoencoder", 5, 10)
    assert written() == ("autoencoder", 5, "epoch 1 of 5", 2.0 / 4 * 5)
    live.update("few labels", 0, 3, "one")
    live.update("few labels", 1, 3, "two")
    assert written()[:3] == ("few labels", 1, "two")
    folder.clear_progress()
    assert list(tmp_path.iterdir()) == []
