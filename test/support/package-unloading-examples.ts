/** What clients of `/api/package-unloading` were written against: each answer's keys, and the types of their values. */

const METRICS = {
  total_unloads: 25,
  successful_unloads: 23,
  failed_unloads: 2,
  total_memory_freed: 52428800,
  average_memory_freed_per_unload: 2097152,
  total_unload_time: 12.5,
  average_unload_time: 0.5,
  unload_success_rate: 0.92,
  last_unload_time: 1640995200.0,
  unload_reasons: { 'Memory pressure unloading (high)': 10, 'Usage pattern unloading (balanced)': 15 },
  performance_impact_score: 0.85,
  memory_pressure_unloads: 10,
  usage_pattern_unloads: 15,
  user_preference_unloads: 0,
  adaptive_unloads: 0,
};

const PACKAGE = {
  name: 'torch',
  is_loaded: true,
  unloading_strategy: 'balanced',
  user_preference_unload: null,
  last_used: 1640995200.0,
  unload_attempt_count: 2,
  unload_failure_count: 0,
  unloading_metrics: {
    total_unloads: 2,
    successful_unloads: 2,
    failed_unloads: 0,
    total_memory_freed: 10485760,
    average_memory_freed_per_unload: 5242880,
    unload_success_rate: 1.0,
    last_unload_time: 1640995200.0,
  },
};

const STRATEGY_CHANGE = {
  success: true,
  message: "Successfully set unloading strategy for package 'torch' to aggressive",
  data: { package_name: 'torch', strategy: 'aggressive' },
};

const PREFERENCE_CHANGE = {
  success: true,
  message: "Successfully set user preference for package 'torch' unloading to false",
  data: { package_name: 'torch', allow_unload: false },
};

const UNLOADED = {
  success: true,
  message: "Successfully unloaded package 'torch'",
  data: { package_name: 'torch', was_loaded: true },
};

export const EXAMPLES = {
  status: {
    enabled: true,
    check_interval: 60.0,
    current_strategy: 'balanced',
    memory_pressure_threshold: 0.8,
    max_unloads_per_cycle: 5,
    min_memory_savings_threshold: 1048576,
  },
  metrics: METRICS,
  impact: {
    total_packages: 50,
    loaded_packages: 35,
    unloaded_packages: 15,
    total_memory_freed_mb: 50.0,
    average_memory_per_package_mb: 2.0,
    total_unload_time_seconds: 12.5,
    average_unload_time_seconds: 0.5,
    memory_efficiency: 0.5,
    time_efficiency: 0.97,
    success_efficiency: 0.92,
    performance_impact_score: 0.85,
    recommendations: [
      {
        type: 'info',
        message: 'High unload frequency detected',
        suggestion: 'Consider using more conservative unloading strategy',
        priority: 'medium',
      },
    ],
  },
  packages: { packages: { torch: PACKAGE }, total_packages: 50, loaded_packages: 35 },
  package: PACKAGE,
  strategyChange: STRATEGY_CHANGE,
  preferenceChange: PREFERENCE_CHANGE,
  unloaded: UNLOADED,
  garbage: {
    memory_before: 1073741824,
    memory_after: 1048576000,
    memory_freed: 25165824,
    objects_collected: 150,
    garbage_collection_time: 1640995200.0,
  },
};

/** Keys whose own keys are names of what there is. */
const NAMES = new Set(['packages', 'unload_reasons', 'recommendations']);

/** Where an answer differs from an example: keys that are missing, values of another type. Further keys, and null in places of `nullable`, are none. */
export function differences(example: unknown, answer: unknown, nullable: readonly string[] = [], at = ''): string[] {
  if (example === null) return [];
  const key = at.split('.').at(-1) ?? '';
  if (answer === null) return nullable.includes(key) ? [] : [`${at} is null`];
  if (typeof answer !== typeof example || Array.isArray(answer) !== Array.isArray(example))
    return [`${at} is ${JSON.stringify(answer)} and not like ${JSON.stringify(example)}`];
  if (typeof example !== 'object') return [];
  if (NAMES.has(key)) {
    const [one] = Object.values(example);
    return Object.entries(answer as object).flatMap(([name, each]) =>
      differences(one, each, nullable, `${at}[${name}]`),
    );
  }
  return Object.entries(example).flatMap(([name, value]) =>
    Object.hasOwn(answer as object, name)
      ? differences(value, (answer as Record<string, unknown>)[name], nullable, at === '' ? name : `${at}.${name}`)
      : [`${at}.${name} is missing`],
  );
}
