// A small web app that asks the model: GET /?text=my+parcel+never+arrived answers with the intent behind the text.
import http from 'node:http';

const predictUrl = process.env.PREDICT_URL ?? 'http://127.0.0.1:8000/predict';

/** @param {string} text @returns {Promise<{ label: string, score: number }>} */
async function intentOf(text) {
  const response = await fetch(predictUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ inputs: text, model: 'intents' }),
    signal: AbortSignal.timeout(10_000),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error?.message ?? `status ${response.status}`);
  return answer.outputs;
}

const server = http.createServer(async (request, response) => {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const text = url.searchParams.get('text');
  response.setHeader('content-type', 'application/json');
  if (url.pathname !== '/') {
    response.writeHead(404).end(JSON.stringify({ error: 'not found' }));
    return;
  }
  if (!text) {
    response.end(JSON.stringify({ usage: 'GET /?text=my+parcel+never+arrived', worker: process.pid }));
    return;
  }
  try {
    response.end(JSON.stringify({ text, intent: await intentOf(text), worker: process.pid }));
  } catch (error) {
    response.writeHead(502).end(JSON.stringify({ error: error instanceof Error ? error.message : String(error) }));
  }
});

server.listen(process.env.PORT ?? 8080, '127.0.0.1', () => console.log(`web worker ${process.pid} listens`));
