"""The sample configurations that are installed with the documentation."""

from harness import APHORISMD, ETC, models, run


def test_there_is_one_for_each_model():
    assert sorted(path.stem for path in (ETC / "examples").glob("*.conf")) == sorted(models())


def test_it_is_valid_and_about_its_model(model):
    example = ETC / "examples" / f"{model}.conf"
    more = ["-o", f'aphorisms="{ETC}/zen.aphorisms"', "-o", "process.user="]
    checked = run(APHORISMD, "--test", "--config", example, *more)
    # what this very machine grants is not the example's to say
    beside = "keep the rights of root", "descriptors: ", "tasks: ", "memory: "
    complaints = [line for line in checked.stderr.splitlines() if not any(words in line for words in beside)]
    assert (checked.returncode, checked.stdout, len(complaints)) == (0, "", 1), checked
    assert complaints[0].startswith(f"aphorismd: {example}: ") and complaints[0].endswith("good")
    assert f'model = "{model}";' in run(APHORISMD, "--dump", "--config", example, *more).stdout
