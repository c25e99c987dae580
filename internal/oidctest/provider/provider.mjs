// An OpenID Connect provider for tests: oidc-provider with accounts and clients
// that the test gives, signing in by one form without a password. The first line of standard input
// is the state as JSON (internal/oidctest/oidctest.go, type state); the first line
// of standard output is the address. It ends when standard input does.
//
// A Provider's keys and clients are fixed when it is made, so each change makes
// another one; what it stores (sessions, codes, grants) is the module's and stays.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { Provider } from 'oidc-provider';

const kinds = {
  RS256: ['rsa', { modulusLength: 2048 }],
  PS256: ['rsa', { modulusLength: 2048 }],
  ES256: ['ec', { namedCurve: 'P-256' }],
  EdDSA: ['ed25519', {}],
};

function newKey(alg) {
  const { privateKey } = generateKeyPairSync(...kinds[alg]);
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), alg, use: 'sig' };
}

let state, issuer, handler;
let keys = []; // the first one signs
let failure = ''; // '', 'unavailable' or 'hangs'

const text = (res, status, body) => {
  res.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
  res.end(`${body}\n`);
};

const json = (res, body) => {
  res.writeHead(200, { 'content-type': 'application/json' });
  res.end(JSON.stringify(body));
};

// form is what a browser sees; a test without one posts the same.
const form = (res) => {
  res.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
  res.end('<!doctype html><html lang="en"><title>Provider</title><link rel="icon" href="data:,"><form method="post">'
    + '<label>Subject <input name="subject"></label> <button>Go on</button></form>');
};

async function body(req) {
  let all = '';
  for await (const part of req) all += part;
  return all;
}

const account = (subject) => state.accounts.find((a) => a.subject === subject);

const claimsOf = (a) => ({
  ...(a.name && { name: a.name }),
  ...(a.email && { email: a.email, email_verified: true }),
  ...a.claims,
});

function clients() {
  const web = {
    client_id: state.clientID,
    client_secret: state.clientSecret,
    redirect_uris: [...state.redirectURIs, issuer + state.ownRedirect],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
  };
  const machines = state.machines.map((m) => ({
    client_id: m.id, client_secret: m.secret, redirect_uris: [], response_types: [], grant_types: ['client_credentials'],
  }));
  return [web, ...machines];
}

const resourceIndicators = {
  enabled: true,
  // A program gets a token for the service without asking for it; people's tokens
  // are for the service only where the request names it.
  defaultResource: (ctx, client) => (client.grantTypeAllowed('client_credentials') ? state.resource : undefined),
  getResourceServerInfo: (ctx, resource) => {
    if (resource !== state.resource) throw new Error(`unknown resource ${resource}`);
    return {
      scope: '', audience: state.audience, accessTokenTTL: state.lifetime, accessTokenFormat: 'jwt', jwt: { sign: { alg: state.algorithm } },
    };
  },
};

function extraTokenClaims(ctx, token) {
  if (token.kind === 'ClientCredentials') return state.machines.find((m) => m.id === token.clientId)?.claims;
  const a = account(token.accountId);
  return a && claimsOf(a);
}

function configuration() {
  const custom = [...new Set(state.accounts.flatMap((a) => Object.keys(a.claims ?? {})))];
  return {
    clients: clients(),
    clientDefaults: { id_token_signed_response_alg: state.algorithm },
    jwks: { keys: structuredClone(keys) },
    findAccount: (ctx, id) => {
      const a = account(id);
      return a && { accountId: id, claims: () => ({ ...claimsOf(a), sub: id }) };
    },
    claims: { openid: ['sub', ...custom], profile: ['name'], email: ['email', 'email_verified'] },
    conformIdTokenClaims: false,
    pkce: { methods: ['S256'], required: () => true },
    scopes: ['openid', 'offline_access'],
    features: {
      devInteractions: { enabled: false }, clientCredentials: { enabled: true }, resourceIndicators,
    },
    extraTokenClaims,
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    cookies: {
      keys: [state.control], names: { session: 'oidctest_session', interaction: 'oidctest_interaction', resume: 'oidctest_resume' },
    },
    ttl: {
      IdToken: state.lifetime, AccessToken: state.lifetime, ClientCredentials: state.lifetime, AuthorizationCode: 60, Interaction: 600, Session: 3600, Grant: 3600, RefreshToken: 3600,
    },
    renderError: (ctx, out) => { ctx.type = 'text'; ctx.body = JSON.stringify(out); },
  };
}

function build() {
  const provider = new Provider(issuer, configuration());
  provider.on('server_error', (ctx, err) => console.error(err));
  handler = { provider, callback: provider.callback() };
}

// grant gives a client all that it asks for.
async function grant(provider, { prompt, params, session, grantId }) {
  const g = (grantId && await provider.Grant.find(grantId)) || new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  const { missingOIDCScope, missingOIDCClaims, missingResourceScopes } = prompt.details;
  if (missingOIDCScope) g.addOIDCScope(missingOIDCScope.join(' '));
  if (missingOIDCClaims) g.addOIDCClaims(missingOIDCClaims);
  for (const [resource, scopes] of Object.entries(missingResourceScopes ?? {})) g.addResourceScope(resource, scopes.join(' '));
  return { consent: { grantId: await g.save() } };
}

// interaction is what a person does at the provider's pages: the form's "subject"
// signs in and consents; an empty one refuses.
async function interaction(req, res) {
  const { provider } = handler;
  if (req.method !== 'POST') return form(res);
  const subject = new URLSearchParams(await body(req)).get('subject') ?? '';
  const details = await provider.interactionDetails(req, res);
  if (subject === '') return provider.interactionFinished(req, res, { error: 'access_denied', error_description: 'the person refused' });
  if (!account(subject)) return text(res, 404, `no account ${subject}`);
  if (details.prompt.name === 'login') return provider.interactionFinished(req, res, { login: { accountId: subject } }, { mergeWithLastSubmission: false });
  if (details.session.accountId !== subject) return text(res, 409, `signed in as ${details.session.accountId}`);
  return provider.interactionFinished(req, res, await grant(provider, details), { mergeWithLastSubmission: true });
}

const controls = {
  rotate: () => { keys = [newKey(state.algorithm), ...keys]; },
  drop: () => { keys = keys.slice(0, 1); },
  redirects: (uris) => { state.redirectURIs = uris; },
  account: (a) => { state.accounts = [...state.accounts.filter((o) => o.subject !== a.subject), a]; },
  machine: (m) => { state.machines = [...state.machines.filter((o) => o.id !== m.id), m]; },
  fail: (how) => { failure = how; },
};

async function serve(req, res) {
  const [, first, second] = new URL(req.url, issuer).pathname.split('/');
  if (first === state.control && Object.hasOwn(controls, second)) {
    controls[second](JSON.parse(await body(req)));
    build();
    return json(res, { kids: keys.map((k) => k.kid) });
  }
  if (failure === 'hangs') return undefined; // until the caller gives up
  if (failure !== '') return text(res, 503, 'unavailable, as the test wants');
  if (first === 'interaction') return interaction(req, res);
  return handler.callback(req, res);
}

const server = createServer((req, res) => {
  serve(req, res).catch((err) => {
    console.error(err);
    if (!res.headersSent) text(res, 500, String(err));
  });
});

const lines = createInterface({ input: process.stdin });
lines.on('close', () => process.exit(0));
lines.once('line', (line) => {
  state = JSON.parse(line);
  keys = [newKey(state.algorithm)];
  server.listen(0, '127.0.0.1', () => {
    issuer = `http://127.0.0.1:${server.address().port}`;
    build();
    console.log(issuer);
  });
});
