"""``/openapi.json``: each row of the table says what it takes and what it answers, with an example."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from harness.described import Described, described

DOCUMENT = described().document
OPERATIONS = [
    pytest.param(operation, id=f"{method.upper()} {path}")
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]


def contents(operation: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what each response that is no refusal says of each of its media."""
    answers = [one for one in operation["responses"].values() if "$ref" not in one]
    return [content for answer in answers for content in answer["content"].values()]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_route_says_what_it_is_for(operation: dict[str, Any]) -> None:
    """A summary that is a phrase, and an area; each parameter is explained."""
    assert operation["summary"].strip()
    assert not operation["summary"].endswith(".")
    assert operation["tags"]
    assert not [one["name"] for one in operation.get("parameters", ()) if not one.get("description")]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_answer_has_a_shape_and_an_example_of_it(operation: dict[str, Any]) -> None:
    """The example has every member that the shape has, and no other."""
    found = contents(operation)

    assert found
    for content in found:
        described().validator(content["schema"]).validate(content["example"])
        validator = described().validator({"type": "object", "properties": {"x": content["schema"]}})
        assert not list(validator.iter_errors({"x": content["example"]}))
        assert content["schema"] not in ({}, {"type": "object"})


@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_route_says_how_it_refuses(operation: dict[str, Any]) -> None:
    """With the envelope; a route with a name in its path may find nothing of that name."""
    named = any(one["in"] == "path" for one in operation.get("parameters", ()))

    assert {"403", "422", "429", "500"} <= set(operation["responses"])
    assert not named or "404" in operation["responses"]
    for one in operation["responses"].values():
        name = one.get("$ref", "").removeprefix("#/components/responses/")
        assert not name or name in DOCUMENT["components"]["responses"]


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if "requestBody" in one.values[0]])
def test_each_body_has_an_example(operation: dict[str, Any]) -> None:
    """Of each member that has no default."""
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    ways = (schema, *schema.get("anyOf", ()), *schema.get("oneOf", ()))
    references = [one["$ref"] for one in ways if "$ref" in one]

    assert references
    for reference in references:
        body = DOCUMENT["components"]["schemas"][reference.rpartition("/")[2]]
        assert body["description"]
        for name, member in body["properties"].items():
            assert "default" in member or "enum" in member or member["examples"], name


def test_each_refusal_has_an_example() -> None:
    """Which is one."""
    for one in DOCUMENT["components"]["responses"].values():
        content = one["content"]["application/json"]
        described().validator(content["schema"]).validate(content["example"])
        assert content["example"]["message"].startswith("cannot ")


def test_each_operation_has_a_name_of_its_own() -> None:
    """Programs that are generated from the description have a function for each."""
    names = [operation.values[0]["operationId"] for operation in OPERATIONS]

    assert len(set(names)) == len(names)


def test_all_schemas_are_schemas() -> None:
    """Of the dialect that OpenAPI 3.1 has."""
    assert DOCUMENT["openapi"].startswith("3.1")
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_what_is_not_described_is_noticed() -> None:
    """The tests' own instrument: one member more, one less, another status, another medium."""
    held = Described(DOCUMENT)
    good = b'{"success":true,"data":{"ending":true}}'
    target = "/api/v1/shutdown"
    held.check("POST", target, 200, "application/json", good)
    bad = [
        (200, "application/json", b'{"success":true,"data":{"ending":true,"more":1}}'),
        (200, "application/json", b'{"success":true,"data":{}}'),
        (201, "application/json", good),
        (200, "text/plain", good),
        (403, "application/json", good),
    ]
    for status, kind, body in bad:
        with pytest.raises(AssertionError):
            held.check("POST", target, status, kind, body)
