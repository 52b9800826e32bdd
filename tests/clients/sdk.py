"""Calls the official Ntropii SDK and reports what it returned or raised.

Reads a JSON object from standard input:

    {"client": {"host": …, "api_key": …}, "calls": [["tenants.list_sync", {"status": "ACTIVE"}], …]}
    {"connection": NAME or null, "calls": […]}

and writes a list with one object for each call: {"result": …}, or {"error": CLASS, "parents": […],
"status_code": …, "message": …, "detail": …}.
"""

import json
import operator
import sys

from ntro.workspace import Client
from pydantic import BaseModel


def plain(value):
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def describe(error):
    return {
        "error": type(error).__name__,
        "parents": [parent.__name__ for parent in type(error).__mro__[1:]],
        "status_code": getattr(error, "status_code", None),
        "message": getattr(error, "message", str(error)),
        "detail": getattr(error, "detail", None),
    }


def main():
    request = json.load(sys.stdin)
    if "client" in request:
        client = Client(**request["client"])
    else:
        client = Client.from_config(connection=request["connection"])

    answers = []
    for name, *arguments in request["calls"]:
        keywords = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}
        try:
            answers.append({"result": plain(operator.attrgetter(name)(client)(*arguments, **keywords))})
        except Exception as error:
            answers.append(describe(error))
    json.dump(answers, sys.stdout)


main()
