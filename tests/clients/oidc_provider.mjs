// An OpenID provider whose clients get access tokens as JWT, each for an organisation and a role.
//
// Prints its issuer. A line with an algorithm on standard input replaces the signing key and is
// answered by the id of the new one; `fetches` is answered by the number of requests for the key set.

import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

// Packages are not beside this file, but in the folder that the first argument names.
const { resolve } = createRequire(`${process.argv[2]}/`);
const { generateKeyPair, exportJWK } = await import(resolve('jose'));
const { Provider } = await import(resolve('oidc-provider'));

const AUDIENCE = 'urn:ntro:test';

const CLAIMS = {
  admin: { org_id: 'org_acme', org_role: 'org:admin' },
  brief: { org_id: 'org_acme', org_role: 'org:admin' },
  member: { org_id: 'org_acme', org_role: 'org:member' },
  foreign: { org_id: 'org_globex', org_role: 'org:admin' },
};

let handle;
let fetches = 0;
const server = createServer((request, response) => {
  fetches += request.url === '/jwks';
  handle(request, response);
});
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const issuer = `http://127.0.0.1:${server.address().port}`;

async function start(algorithm) {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true });
  const kid = crypto.randomUUID();
  const key = { ...(await exportJWK(privateKey)), kid, alg: algorithm, use: 'sig' };
  const provider = new Provider(issuer, {
    jwks: { keys: [key] },
    clients: Object.keys(CLAIMS).map((client_id) => ({
      client_id,
      client_secret: 'secret',
      grant_types: ['client_credentials'],
      id_token_signed_response_alg: algorithm,
      redirect_uris: [],
      response_types: [],
    })),
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => AUDIENCE,
        getResourceServerInfo: () => ({
          scope: '',
          audience: AUDIENCE,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: algorithm } },
        }),
      },
    },
    ttl: {
      ClientCredentials: (context, token, client) => (client.clientId === 'brief' ? 1 : 600),
    },
    extraTokenClaims: (context, token) => CLAIMS[token.clientId],
  });
  handle = provider.callback();
  return kid;
}

await start('RS256');
console.log(issuer);
for await (const line of createInterface({ input: process.stdin })) {
  console.log(line === 'fetches' ? fetches : await start(line));
}
process.exit(0);
