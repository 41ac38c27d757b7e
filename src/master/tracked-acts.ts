import type { Clock } from '../clock.js';
import { SupError } from '../errors.js';
import type { Hooks } from '../monitor/hooks.js';
import { trackSpan } from '../monitor/span.js';
import type { Acts } from './acts.js';
import type { ActReport } from './supervisor.js';

/** Operators' acts, with the plug-ins told before and after each: `reload web`, `scale intents +1`. */
export function trackedActs(acts: Acts, hooks: Hooks, clock: Clock): Pick<Acts, 'apply' | 'act' | 'scale'> {
  const tracked = (name: string, act: () => Promise<ActReport>) =>
    hooks.idle ? act() : withReport(name, act, hooks, clock);
  return {
    apply: (file, options) => tracked(`apply ${file}`, () => acts.apply(file, options)),
    act: (verb, target) => tracked(`${verb} ${target}`, () => acts.act(verb, target)),
    scale: (target, size) => tracked(`scale ${target} ${size}`, () => acts.scale(target, size)),
  };
}

/** An act that failed resolves with a report; who listens is to see it as a span with an error. */
async function withReport(name: string, act: () => Promise<ActReport>, hooks: Hooks, clock: Clock): Promise<ActReport> {
  let report: ActReport | null = null;
  try {
    await trackSpan(
      name,
      async () => {
        report = await act();
        const failed = report.results.find((result) => result.error !== null);
        if (failed?.error) throw new SupError('SUP_ACT_FAILED', failed.error.message, { app: failed.app });
      },
      hooks,
      clock,
    );
  } catch (error) {
    if (!report) throw error;
  }
  return report as unknown as ActReport;
}
