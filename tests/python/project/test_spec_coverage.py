"""Every rule that needs a test has one, and tests name only rules that exist."""

from __future__ import annotations

from support import spec_coverage


def test_every_rule_that_needs_a_test_has_one() -> None:
    needed, _ = spec_coverage.untested(spec_coverage.load_rules(), spec_coverage.scan())
    assert needed == []


def test_no_test_names_an_unknown_rule() -> None:
    rules = spec_coverage.load_rules()
    named = spec_coverage.scan()
    assert {rule: files for rule, files in named.items() if rule not in rules} == {}


def test_rules_file_has_every_family_in_order() -> None:
    rules = spec_coverage.load_rules()
    families = list(dict.fromkeys(rule.rsplit("-", 1)[0] for rule in rules))
    assert families == [*"MSTRFCEXHBANLQGPDK", "18", "DEC", "EX", "AIO", "TRC", "PAGE", "MON"]
    assert len(rules) == 406
    assert rules["T-10"] == {"pinned", "observed", "defect"}


def test_scanners_find_the_names() -> None:
    python = '@pytest.mark.spec("T-10", "D-01")\ndef test(): spec("L-01")\nother("X-01")\n'
    assert sorted(spec_coverage.rules_in_python(python)) == ["D-01", "L-01", "T-10"]
    assert spec_coverage.rules_in_python('"""EX-07: title."""') == ["EX-07"]
    cpp = 'SPEC("K-01",\n  "K-02"); // SPEC("K-03")\nNOSPEC("K-04")'
    assert spec_coverage.rules_in_cpp(cpp) == ["K-01", "K-02", "K-03"]


def test_a_missing_test_is_noticed() -> None:
    rules = spec_coverage.load_rules()
    needed, others = spec_coverage.untested(rules, set(rules) - {"T-10", "T-18", "P-01", "EX-03"})
    assert needed == ["T-10", "P-01"]
    assert others == ["T-18", "EX-03"]
