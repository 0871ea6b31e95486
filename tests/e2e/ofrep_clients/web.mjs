// Runs the web provider as a page would, without polling, until standard input ends. Each thing that happens is
// a line of JSON: {"happened": "ready" | "changed" | "stale" | "asked" | "listened", ...}.
// node web.mjs URL KEY FLAG
import { EventSource } from 'eventsource';
import { OpenFeature, ProviderEvents } from '@openfeature/web-sdk';
import { OFREPWebProvider } from '@openfeature/ofrep-web-provider';

const [baseUrl, key, flag] = process.argv.slice(2);
const tell = (happened, more) => console.log(JSON.stringify({ happened, ...more }));

globalThis.EventSource = class extends EventSource {
  constructor(url) {
    super(url, {
      fetch: async (target, init) => {
        const response = await fetch(target, init);
        tell('listened', { status: response.status, lastEventId: init.headers['Last-Event-ID'] ?? null });
        return response;
      },
    });
  }
};

const fetchImplementation = async (request, init) => {
  const response = await fetch(request, init);
  const { searchParams } = new URL(request.url);
  tell('asked', {
    status: response.status,
    known: request.headers.get('If-None-Match'),
    etag: response.headers.get('ETag'),
    flagConfigEtag: searchParams.get('flagConfigEtag'),
  });
  return response;
};

const client = OpenFeature.getClient();
const details = () => client.getBooleanDetails(flag, false);
client.addHandler(ProviderEvents.Ready, () => tell('ready', { details: details() }));
client.addHandler(ProviderEvents.ConfigurationChanged, (event) =>
  tell('changed', { flags: event.flagsChanged, details: details() }),
);
client.addHandler(ProviderEvents.Stale, () => tell('stale'));
await OpenFeature.setContext({ targetingKey: 'user-1', country: 'BR' });
const headers = [['X-API-Key', key]];
try {
  await OpenFeature.setProviderAndWait(new OFREPWebProvider({ baseUrl, headers, fetchImplementation, pollInterval: 0 }));
} catch (problem) {
  tell('failed', { code: problem.code, message: problem.message });
}
process.stdin.on('end', async () => {
  await OpenFeature.close();
  process.exit(0);
});
process.stdin.resume();
