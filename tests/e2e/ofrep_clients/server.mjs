// Asks the server provider each question of standard input, and prints its answers: both are JSON.
// node server.mjs URL KEY
import { readFileSync } from 'node:fs';
import { OpenFeature } from '@openfeature/server-sdk';
import { OFREPProvider } from '@openfeature/ofrep-provider';

const [baseUrl, key] = process.argv.slice(2);
await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl, headers: [['Authorization', `Bearer ${key}`]] }));
const client = OpenFeature.getClient();
const ask = {
  boolean: client.getBooleanDetails,
  string: client.getStringDetails,
  number: client.getNumberDetails,
  object: client.getObjectDetails,
};
const answers = [];
for (const { flag, type, fallback, context } of JSON.parse(readFileSync(0, 'utf8'))) {
  answers.push(await ask[type].call(client, flag, fallback, context ?? {}));
}
console.log(JSON.stringify(answers));
await OpenFeature.close();
