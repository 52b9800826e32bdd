"""Starts an MCP server over stdio, calls it, and reports its answers.

Takes the server's command line as arguments. Reads a JSON list of calls from standard input:

    [["list_tools"], ["call_tool", "ntro_whoami", {}], ["read_resource", "ntro://tenants"], …]

and writes a list with one object for each call: {"result": …} as the protocol has it, or
{"error": MESSAGE}.
"""

import asyncio
import json
import os
import sys

from mcp import ClientSession, McpError, StdioServerParameters
from mcp.client.stdio import stdio_client


async def call(session, name, arguments):
    try:
        result = await getattr(session, name)(*arguments)
    except McpError as error:
        return {"error": str(error)}
    return {"result": result.model_dump(mode="json", by_alias=True)}


async def main():
    calls = json.load(sys.stdin)
    # The library hands on only a few variables by itself.
    server = StdioServerParameters(command=sys.argv[1], args=sys.argv[2:], env=dict(os.environ))
    async with stdio_client(server) as streams, ClientSession(*streams) as session:
        initialized = await session.initialize()
        answers = [{"result": initialized.model_dump(mode="json", by_alias=True)}]
        for name, *arguments in calls:
            answers.append(await call(session, name, arguments))
    json.dump(answers, sys.stdout)


asyncio.run(main())
