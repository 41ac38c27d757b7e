import type { MemoryStatus, ResourceReport } from '../../master/supervisor.js';
import type { Colors } from '../context.js';
import { bytes, growth, NOTHING, percent, share } from '../render/values.js';
import type { Colour } from './grid.js';
import { cut, flat, widthOf } from './text.js';

/** A line is made of parts; those that have no room are left out from the end. */
interface Part {
  text: string;
  colour?: Colour | null;
}

const LABEL = 'memory'.length;
const GAP = 2;
/** A core with its bar, and the gap before it. */
const CORE = 13;

const PRESSURE: Record<MemoryStatus['pressure'], Colour> = {
  low: 'green',
  medium: 'green',
  high: 'yellow',
  critical: 'red',
};
const CPU: Record<NonNullable<ResourceReport['status']['cpu']['level']>, Colour> = {
  low: 'green',
  moderate: 'green',
  high: 'yellow',
  critical: 'red',
};

/** What the box has and uses; a line for each thing that it has. */
export function header(report: ResourceReport, width: number, colors: Colors): string[] {
  const barWidth = Math.min(30, Math.max(6, Math.floor(width / 4)));
  const lines = [
    memoryLine(report, barWidth),
    cpuLine(report, barWidth),
    coresLine(report, width),
    rest(report),
    ...gpuLines(report, barWidth),
  ];
  return lines
    .filter(([first, second]) => first && second && widthOf(first.text) + GAP + widthOf(flat(second.text)) <= width)
    .map((parts) => joined(parts, width, colors));
}

function memoryLine({ status: { memory }, trends }: ResourceReport, barWidth: number): Part[] {
  const colour = PRESSURE[memory.pressure];
  return [
    label('memory'),
    { text: bar(memory.used_share, barWidth), colour },
    { text: share(memory.used_share) },
    { text: `${memory.pressure} pressure`, colour },
    { text: `${bytes(memory.used_bytes)} of ${bytes(memory.limit_bytes)}` },
    { text: memory.limit_from === null ? 'no known limit' : `by ${memory.limit_from}`, colour: 'dim' },
    { text: `${bytes(memory.available_bytes)} available` },
    ...(trends.memory_bytes?.per_minute == null ? [] : [{ text: growth(trends.memory_bytes.per_minute / 1e6) }]),
  ];
}

function cpuLine({ status: { cpu } }: ResourceReport, barWidth: number): Part[] {
  const colour = cpu.level === null ? null : CPU[cpu.level];
  const parts: Part[] = [label('cpu'), { text: bar(cpu.share, barWidth), colour }, { text: share(cpu.share) }];
  if (cpu.level !== null) parts.push({ text: cpu.level, colour });
  if (cpu.load !== null) parts.push({ text: `load ${cpu.load.map((mean) => mean.toFixed(2)).join(' ')}` });
  if (cpu.cores !== null) parts.push({ text: cpu.cores === 1 ? '1 core' : `${cpu.cores} cores` });
  if (cpu.quota_cores !== null)
    parts.push({ text: `${share(cpu.quota_share)} of a quota of ${Number(cpu.quota_cores.toFixed(2))}` });
  return parts;
}

/** One core is what the line above says already. */
function coresLine({ status: { cpu } }: ResourceReport, width: number): Part[] {
  if (cpu.per_core === null || cpu.per_core.length < 2) return [];
  const bars = LABEL + cpu.per_core.length * CORE <= width;
  const figure = (core: number) => share(core).padStart(4);
  return [
    label('cores'),
    ...cpu.per_core.map((core) => ({ text: bars ? `${bar(core, 4)} ${figure(core)}` : figure(core) })),
  ];
}

function rest({ status: { stall, swap, disk, network, master } }: ResourceReport): Part[] {
  const parts = [label('box')];
  if (stall !== null)
    parts.push({
      text: `stalled: memory ${share(stall.memory_some)} cpu ${share(stall.cpu_some)} io ${share(stall.io_some)}`,
    });
  if (disk !== null) parts.push({ text: `disk ${bytes(disk.free_bytes)} free of ${bytes(disk.total_bytes)}` });
  if (swap !== null && swap.total_bytes > 0)
    parts.push({ text: `swap ${bytes(swap.total_bytes - swap.free_bytes)} of ${bytes(swap.total_bytes)}` });
  if (network !== null)
    parts.push({ text: `net in ${bytes(network.received_per_second)}/s out ${bytes(network.sent_per_second)}/s` });
  if (master.memory_bytes !== null || master.cpu_percent !== null)
    parts.push({ text: `master ${bytes(master.memory_bytes)} ${percent(master.cpu_percent)}` });
  return parts;
}

function gpuLines({ status: { gpus } }: ResourceReport, barWidth: number): Part[][] {
  return (gpus ?? []).map((gpu) => [
    label('gpu'),
    { text: bar(gpu.share, barWidth) },
    { text: share(gpu.share) },
    { text: `${bytes(gpu.used_bytes)} of ${bytes(gpu.total_bytes)}` },
    { text: gpu.name, colour: 'dim' },
  ]);
}

function label(text: string): Part {
  return { text: text.padEnd(LABEL), colour: 'dim' };
}

/** `[|||   ]`; what is not known is no empty bar. */
export function bar(value: number | null, width: number): string {
  if (value === null) return `[${NOTHING.padEnd(width)}]`;
  const filled = Math.round(Math.min(1, Math.max(0, value)) * width);
  return `[${'|'.repeat(filled).padEnd(width)}]`;
}

export function joined(parts: readonly Part[], width: number, colors: Colors): string {
  let line = '';
  let left = width;
  for (const [index, { text, colour }] of parts.entries()) {
    const shown = index === 0 ? cut(flat(text), left) : flat(text);
    const needed = widthOf(shown) + (index === 0 ? 0 : GAP);
    if (needed > left) break;
    left -= needed;
    if (index > 0) line += ' '.repeat(GAP);
    line += colour == null ? shown : colors[colour](shown);
  }
  return line;
}
