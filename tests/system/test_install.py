# SPDX-License-Identifier: Apache-2.0
"""What `meson install` puts where."""
import subprocess

from lab import BUILD


def test_install_brings_binaries_manual_completions_and_examples(tmp_path):
    subprocess.run(["meson", "install", "-C", BUILD, "--destdir", tmp_path, "--no-rebuild"],
                   check=True, capture_output=True)
    names = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    for end in ("bin/ravelin", "sbin/ravelin-dataplane", "sbin/ravelin-dataplane-avx2", "sbin/ravelin-controlplane",
                "share/man/man1/ravelin.1", "share/bash-completion/completions/ravelin",
                "share/zsh/site-functions/_ravelin", "share/doc/ravelin/examples/edge.yaml",
                "share/doc/ravelin/operations.md"):
        assert any(name.endswith(end) for name in names), f"{end} not in {sorted(names)}"
    installed = next(p for p in tmp_path.rglob("bin/ravelin"))
    assert "ravelin" in subprocess.run([installed, "--version"], check=True, text=True,
                                       capture_output=True).stdout
