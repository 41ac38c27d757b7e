/** How much slower answers are while a web app is reloaded: requests at half of the peak rate, before and during. */
import { setTimeout as sleep } from 'node:timers/promises';
import { LedgerClient, type Loss, lossOf } from './ledger.js';
import type { Entry } from './ledger-protocol.js';
import { median, ratio } from './numbers.js';
import type { Scope } from './scope.js';

export interface FixedRateSizes {
  warmUpMs: number;
  peakMs: number;
  /** A look at quiet times before each reload. */
  beforeMs: number;
  reloads: number;
  answerDeadlineMs: number;
}

export interface FixedRateResult {
  peakPerSecond: number;
  ratePerSecond: number;
  /** Median of the whole command. */
  reloadMs: number | null;
  before: Entry | null;
  during: Entry | null;
  /** Null where it would say nothing: the time before was no quiet one. */
  p99Ratio: number | null;
  entries: Entry[];
  loss: Loss;
}

/** When new workers boot and take over. What may follow, waiting for idle connections to end, would only dilute the figure. */
const BUSY_MS = 1500;
const AFTERMATH_MS = 500;
/** Answers take a few ms at half of the peak. Above this there was a backlog before the reload: the machine was busy with others. */
const QUIET_P99_MS = 50;
const MAX_ATTEMPTS = 3;

export async function reloadAtFixedRate(
  scope: Scope,
  app: { port: number; reload(): Promise<unknown> },
  sizes: FixedRateSizes,
): Promise<FixedRateResult> {
  // One client for both loads: a fresh one would start with a backlog of its own, its code not yet compiled.
  const client = LedgerClient.start(scope);
  const flatOut = { kind: 'closed', name: 'peak', clients: 32, path: '/', keepAlive: true, maxPauseMs: 0 } as const;
  client.send(app.port, [flatOut], 'warm-up', sizes.answerDeadlineMs);
  await sleep(sizes.warmUpMs);
  client.phase('peak');
  await sleep(sizes.peakMs);
  const peak = find(await client.report(), 'peak');
  if (!peak) throw new Error(`nobody answered on port ${app.port} at full load`);
  const peakPerSecond = Math.round(peak.ok / (peak.durationMs / 1000));
  const ratePerSecond = await findQuietRate(client, app.port, peakPerSecond / 2, sizes);

  const reloadsMs: number[] = [];
  for (let i = 0; i < sizes.reloads; i++) {
    client.phase('before');
    await sleep(sizes.beforeMs);
    client.phase('during');
    const startedAt = performance.now();
    const reload = app.reload().then(() => {
      reloadsMs.push(performance.now() - startedAt);
    });
    await Promise.race([reload, sleep(BUSY_MS)]);
    client.phase('after');
    await reload;
    await sleep(AFTERMATH_MS);
  }
  const entries = await client.stop();
  const before = find(entries, 'before');
  const during = find(entries, 'during');
  const quiet = before?.p99Ms != null && before.p99Ms <= QUIET_P99_MS;
  return {
    peakPerSecond,
    ratePerSecond,
    reloadMs: median(reloadsMs),
    before,
    during,
    p99Ratio: quiet ? ratio(during?.p99Ms ?? null, before.p99Ms) : null,
    entries,
    loss: lossOf(entries),
  };
}

/**
 * Half of the peak, or where even that leaves a backlog (server and client share two cores, and one client that waits for nobody
 * costs more than one that waits), a half of it again. The load goes on at the rate that is returned.
 */
async function findQuietRate(
  client: LedgerClient,
  port: number,
  wanted: number,
  sizes: FixedRateSizes,
): Promise<number> {
  let ratePerSecond = wanted;
  for (let attempt = 1; ; attempt++) {
    ratePerSecond = Math.max(1, Math.round(ratePerSecond));
    const paced = { kind: 'open', name: 'fixed rate', path: '/', perSecond: ratePerSecond } as const;
    client.send(port, [paced], `settling ${attempt}`, sizes.answerDeadlineMs);
    await sleep(sizes.warmUpMs);
    client.phase(`look ${attempt}`);
    await sleep(sizes.beforeMs);
    client.phase(`looked ${attempt}`);
    const seen = find(await client.report(), `look ${attempt}`);
    if (attempt === MAX_ATTEMPTS || (seen?.p99Ms != null && seen.p99Ms <= QUIET_P99_MS)) return ratePerSecond;
    ratePerSecond /= 2;
  }
}

/** Null where no request was sent in this phase. */
function find(entries: readonly Entry[], phase: string): Entry | null {
  return entries.find((entry) => entry.phase === phase) ?? null;
}
