"""Settings: where they come from, which source wins, and what a reader is told when one is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import pytest
from pydantic import AliasChoices, Field, SecretStr, field_validator

from evcharging.apps.runtime.errors import UsageError
from evcharging.apps.runtime.settings import ServiceSettings


class KettleSettings(ServiceSettings):
    prefix: ClassVar[str] = "KETTLE_"
    service: ClassVar[str] = "kettle"
    summary: ClassVar[str] = "Boils water."

    litres: float = Field(1.0, gt=0, le=3, description="water, litres")
    http_port: int = Field(8001, ge=0, le=65535, description="HTTP port")
    mode: Literal["fast", "quiet"] = Field("fast", description="how it heats")
    keep_warm: bool = Field(False, description="hold the temperature")
    tea: list[str] = Field(["green"], min_length=1, description="kinds of tea")
    log_file: Path | None = Field(None, description="where it notes")
    token: SecretStr | None = Field(
        None,
        min_length=8,
        validation_alias=AliasChoices("token", "KITCHEN_TOKEN"),
        description="password of the kitchen",
    )


class NeedySettings(ServiceSettings):
    prefix: ClassVar[str] = "NEEDY_"
    service: ClassVar[str] = "needy"
    summary: ClassVar[str] = "Cannot do without."

    name: str = Field(description="its name")
    pin: SecretStr = Field(validation_alias=AliasChoices("SHARED_PIN"), description="its pin")

    @field_validator("name")
    @classmethod
    def _not_bob(cls, value: str) -> str:
        if value == "bob":
            raise ValueError("anybody but bob")
        return value


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(*argv: str, **environ: str) -> KettleSettings:
    return KettleSettings.load(argv, environ=environ)


def test_defaults_hold_where_nothing_is_set():
    settings = load()
    assert (settings.litres, settings.http_port, settings.tea, settings.log_level) == (1.0, 8001, ["green"], "info")


def test_a_flag_wins_over_the_environment_over_dotenv_over_yaml_over_the_default(tmp_path):
    config = tmp_path / "evcharging.yaml"
    config.write_text("kettle:\n  litres: 1.1\n", encoding="utf-8")
    assert load("--config", str(config)).litres == 1.1

    Path(".env").write_text("KETTLE_LITRES=1.2\n", encoding="utf-8")
    assert load("--config", str(config)).litres == 1.2

    assert load("--config", str(config), KETTLE_LITRES="1.3").litres == 1.3
    assert load("--config", str(config), "--litres", "1.4", KETTLE_LITRES="1.3").litres == 1.4


def test_sources_are_merged_setting_by_setting(tmp_path):
    Path(".env").write_text("KETTLE_HTTP_PORT=9001\n", encoding="utf-8")
    settings = load("--mode", "quiet", KETTLE_LITRES="2")
    assert (settings.http_port, settings.mode, settings.litres) == (9001, "quiet", 2.0)


def test_the_process_environment_and_arguments_are_the_default_sources(monkeypatch):
    monkeypatch.setenv("KETTLE_LITRES", "2.5")
    monkeypatch.setattr("sys.argv", ["kettle", "--http-port", "7000"])
    settings = KettleSettings.load()
    assert (settings.litres, settings.http_port) == (2.5, 7000)


@pytest.mark.parametrize(
    ("raw", "litres"),
    [
        ("2.0 # two of them", 2.0),
        ("2.0\t# tab", 2.0),
        ("2.0", 2.0),
        (" 2.0 ", 2.0),
        ("# only a comment", 1.0),
        ("", 1.0),
    ],
)
def test_a_trailing_comment_is_not_part_of_a_variable(raw, litres):
    assert load(KETTLE_LITRES=raw).litres == litres


@pytest.mark.parametrize("line", ["KETTLE_LITRES=2.0 # two", 'KETTLE_LITRES="2.0" # two', "KETTLE_LITRES='2.0 # two'"])
def test_a_trailing_comment_is_not_part_of_a_dotenv_value(line):
    Path(".env").write_text(line + "\n", encoding="utf-8")
    assert load().litres == 2.0


def test_a_hash_inside_a_word_belongs_to_the_value():
    assert load(KETTLE_TEA="earl#grey").tea == ["earl#grey"]


def test_an_empty_dotenv_value_leaves_the_default():
    Path(".env").write_text("KETTLE_LITRES= # unset\nKETTLE_MODE\n", encoding="utf-8")
    assert load().litres == 1.0


@pytest.mark.parametrize(
    ("argv", "environ"),
    [
        (["--tea", "black", "--tea", "mint"], {}),
        (["--tea", "black,mint"], {}),
        (["--tea", "black, mint,"], {}),
        ([], {"KETTLE_TEA": "black, mint"}),
    ],
)
def test_a_list_is_a_repeated_flag_or_a_comma_list(argv, environ):
    assert load(*argv, **environ).tea == ["black", "mint"]


@pytest.mark.parametrize("yaml", ["tea: [black, mint]", "tea: black,mint", "tea:\n  - black\n  - mint"])
def test_a_list_in_yaml_is_a_sequence_or_a_comma_list(yaml, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("kettle:\n  " + yaml.replace("\n", "\n  ") + "\n", encoding="utf-8")
    assert load("--config", str(config)).tea == ["black", "mint"]


@pytest.mark.parametrize(
    ("argv", "environ", "expected"),
    [
        (["--keep-warm"], {}, True),
        (["--no-keep-warm"], {"KETTLE_KEEP_WARM": "true"}, False),
        ([], {"KETTLE_KEEP_WARM": "1"}, True),
        ([], {"KETTLE_KEEP_WARM": "no"}, False),
    ],
)
def test_a_switch_has_a_negative_form(argv, environ, expected):
    assert load(*argv, **environ).keep_warm is expected


def test_an_unknown_name_under_the_own_prefix_is_named_with_the_one_that_was_meant():
    with pytest.raises(UsageError, match=r"KETTLE_LITERS \(in the environment\).*did you mean KETTLE_LITRES\?"):
        load(KETTLE_LITERS="2")


def test_an_unknown_name_in_dotenv_says_that_it_stands_there():
    Path(".env").write_text("KETTLE_HTTPPORT=1\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"KETTLE_HTTPPORT \(in \.env\).*did you mean KETTLE_HTTP_PORT\?"):
        load()


def test_an_unknown_name_like_nothing_else_points_to_help():
    with pytest.raises(UsageError, match=r"KETTLE_QQQ .*--help"):
        load(KETTLE_QQQ="2")


def test_names_under_other_prefixes_are_ignored():
    Path(".env").write_text("CENTRAL_HTTP_PORT=1\nTEAPOT_LITRES=9\n", encoding="utf-8")
    assert load(DRIVER_NONSENSE="x", PATH="/bin", KETTLELITRES="7").litres == 1.0


def test_an_unknown_flag_is_named_with_the_one_that_was_meant():
    with pytest.raises(UsageError, match=r"unrecognized arguments: --litre.*did you mean --litres\?"):
        load("--litre", "2")


def test_a_stray_word_is_refused():
    with pytest.raises(UsageError, match="unrecognized arguments: boil; see evcharging kettle --help"):
        load("boil")


def test_a_flag_is_not_abbreviated():
    with pytest.raises(UsageError, match="--lit"):
        load("--lit", "2")


def test_a_wrong_value_is_told_with_flag_variable_and_what_was_got():
    with pytest.raises(UsageError) as caught:
        load("--litres", "lots", KETTLE_HTTP_PORT="99999")
    told = str(caught.value)
    assert "--litres (KETTLE_LITRES)" in told
    assert "'lots'" in told
    assert "--http-port (KETTLE_HTTP_PORT)" in told
    assert "less than or equal to 65535" in told
    assert "\n" not in told


def test_a_wrong_choice_lists_the_right_ones():
    with pytest.raises(UsageError, match=r"'fast' or 'quiet', got 'loud'"):
        load("--mode", "loud")


def test_a_validators_own_words_are_told():
    with pytest.raises(UsageError, match=r"--name \(NEEDY_NAME\): anybody but bob, got 'bob'"):
        NeedySettings.load(["--name", "bob", "--pin", "1"], environ={})


def test_what_is_required_and_missing_is_named_also_under_a_shared_variable():
    with pytest.raises(UsageError) as caught:
        NeedySettings.load([], environ={})
    assert "--name (NEEDY_NAME): Field required" in str(caught.value)
    assert "--pin (SHARED_PIN): Field required" in str(caught.value)


def test_a_shared_variable_is_read():
    secret = load(KITCHEN_TOKEN="a-long-secret").token
    assert secret is not None
    assert secret.get_secret_value() == "a-long-secret"


@pytest.mark.parametrize("order", [1, -1])
def test_a_variable_under_the_own_prefix_wins_over_the_shared_one_whatever_their_order(order):
    environ = dict([("KITCHEN_TOKEN", "shared-secret"), ("KETTLE_TOKEN", "own-long-secret")][::order])
    secret = load(**environ).token
    assert secret is not None
    assert secret.get_secret_value() == "own-long-secret"


def test_secrets_are_not_shown_in_a_repr_nor_in_an_error():
    assert "a-long-secret" not in repr(load("--token", "a-long-secret"))
    with pytest.raises(UsageError) as caught:
        load("--token", "short")
    assert "--token (KITCHEN_TOKEN)" in str(caught.value)
    assert "short" not in str(caught.value).removeprefix("--token (KITCHEN_TOKEN)")


def test_an_unknown_variable_is_named_without_its_value():
    with pytest.raises(UsageError) as caught:
        load(KETTLE_TOKENN="a-long-secret")
    assert "a-long-secret" not in str(caught.value)


def test_settings_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        load().litres = 2  # type: ignore[misc]


def test_help_shows_unit_default_choices_and_variable(capsys):
    with pytest.raises(SystemExit) as ended:
        load("--help")
    assert ended.value.code == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "--litres N water, litres [default 1.0; KETTLE_LITRES]" in told
    assert "--mode {fast,quiet} how it heats [default fast; KETTLE_MODE]" in told
    assert "--log-file FILE where it notes [unset; KETTLE_LOG_FILE]" in told
    assert "--keep-warm, --no-keep-warm hold the temperature [default False; KETTLE_KEEP_WARM]" in told
    assert "--token VALUE password of the kitchen [unset; KITCHEN_TOKEN]" in told
    assert "Boils water." in told


def test_help_says_what_is_required(capsys):
    with pytest.raises(SystemExit):
        NeedySettings.load(["--help"], environ={})
    told = " ".join(capsys.readouterr().out.split())
    assert "--name VALUE its name [required; NEEDY_NAME]" in told


def test_the_config_file_can_be_named_by_a_variable(tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("kettle: {http-port: 5000}\nother: {litres: 2}\n", encoding="utf-8")
    assert load(EVCHARGING_CONFIG=str(config)).http_port == 5000


@pytest.mark.parametrize("text", ["", "other: {litres: 2}\n", "kettle:\n"])
def test_a_config_file_without_our_section_changes_nothing(text, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text(text, encoding="utf-8")
    assert load("--config", str(config)).litres == 1.0


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"kettle: {liters: 2}", r"kettle\.liters .*did you mean litres\?"),
        (b"kettle: [1, 2]", "expected a mapping with a section 'kettle'"),
        (b"- kettle", "expected a mapping with a section 'kettle'"),
        (b"kettle: {", "not YAML"),
        (b"kettle: {mode: \xff}", "not UTF-8"),
    ],
)
def test_a_broken_config_file_is_told_in_one_line(content, expected, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_bytes(content)
    with pytest.raises(UsageError, match=expected) as caught:
        load("--config", str(config))
    assert "\n" not in str(caught.value)


def test_a_config_file_that_is_not_there_is_told():
    with pytest.raises(UsageError, match=r"--config nowhere\.yaml: cannot be read \(No such file"):
        load("--config", "nowhere.yaml")


def test_a_dotenv_that_is_no_text_is_told():
    Path(".env").write_bytes(b"KETTLE_LITRES=\xff\xfe\n")
    with pytest.raises(UsageError, match=r"\.env: cannot be read"):
        load()


def test_settings_built_in_code_ignore_the_environment(monkeypatch):
    monkeypatch.setenv("KETTLE_LITRES", "2.5")
    assert KettleSettings(litres=1.5).litres == 1.5
    assert KettleSettings().litres == 1.0
