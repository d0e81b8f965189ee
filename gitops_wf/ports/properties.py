"""Pieces of properties that several step types share, as pydantic models."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from gitops_wf.core.durations import parse_duration


class Properties(BaseModel):
    """Base of step properties: names as in YAML, unknown ones are errors, frozen."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True
    )


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise ValueError(  # noqa: TRY004  pydantic reports ValueError as the user's
            "write a duration as text, a number and a unit, such as 90s or 1h30m"
        )
    return parse_duration(value)


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "examples": ["90s", "1h30m"]}),
]


@dataclass(frozen=True, slots=True)
class Verbatim:
    """Marks a property that is passed on as it is, such as a Kubernetes object.

    What looks like a reference to a secret in it (``secretRef`` of a container, say)
    is not ours.
    """


VERBATIM = Verbatim()


class SecretKey(Properties):
    """A secret of the daemon config, and a key in it where it has several."""

    name: str = Field(description="Name of a secret of the daemon config.")
    key: str = Field(default="", description="Key in it, where it has several.")


class SecretSource(Properties):
    """A value that only a reference may give."""

    secret_ref: SecretKey = Field(description="Where the value stands.")

    @model_validator(mode="before")
    @classmethod
    def _no_plain_value(cls, value: Any) -> Any:
        if isinstance(value, str) or (isinstance(value, dict) and "value" in value):
            raise ValueError(
                "a secret does not stand in Git; write {secretRef: {name, key}}"
            )
        return value


class UrlSource(Properties):
    """A URL: text, ``{value: text}``, or by reference where it is itself a secret."""

    value: str | None = Field(default=None, description="The URL, if no secret.")
    secret_ref: SecretKey | None = Field(
        default=None, description="Where the URL stands, if a secret."
    )

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"value": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.value is None) == (self.secret_ref is None):
            raise ValueError("write either value or secretRef")
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [{"type": "string"}, handler(core_schema)]}
