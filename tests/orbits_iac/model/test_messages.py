"""What is kept of an error that a person has to read."""

from pydantic import BaseModel, Field, SecretStr

from orbits_iac.model.errors import message_of


class Booth(BaseModel):
    days: int = Field(le=14)
    key: SecretStr = SecretStr("")


def message(**fields: object) -> str:
    try:
        Booth.model_validate(fields)
    except ValueError as error:
        return message_of(error)
    return ""


def test_fields_that_are_wrong_are_said_on_one_line_and_without_their_values() -> None:
    assert message(days=20, key=["s3cret"]) == (
        "Booth: days: Input should be less than or equal to 14; key: has to be text"
    )


def test_an_error_of_that_name_that_is_another_says_what_it_says() -> None:
    assert message_of(type("ValidationError", (Exception,), {})("the form is wrong")) == "the form is wrong"
