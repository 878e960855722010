import { infoMetric, type Metric } from '../../lib/metrics.ts'
import type { Rejection } from '../../wire/rejection.ts'
import type { Mounted } from '../world/mounted.ts'
import type { World } from '../world/world.ts'
import { documents, mountedKeys } from './documents.ts'

/** A rejected part of a mounted file; `entry` and `field` are empty for the file as a whole. */
export type MountedRejection = Rejection & { readonly file: string }

/** The rejected parts of all mounted files, for status and metrics. */
export const mountedRejections = (world: World): MountedRejection[] =>
  mountedFiles(world).flatMap(([file, mounted]) => {
    const whole = mounted.rejected === undefined ? [] : [{ entry: '', field: '', reason: mounted.rejected }]
    return [...whole, ...rejectedEntries(mounted)].map((rejection) => ({ file, ...rejection }))
  })

/** The same for one file, for the log. */
export function problemsOf(file: string, mounted: Mounted<unknown>): string[] {
  const { content, rejected } = mounted
  const kept = content === undefined ? '' : '; the last good one stays in use'
  return [
    ...(rejected === undefined ? [] : [`${rejected}${kept}`]),
    ...[...rejectedEntries(mounted), ...passedOver(mounted)].map(
      ({ entry, field, reason }) => `${file}: ${entry}${field === '' ? '' : `, ${field}`}: ${reason}`,
    ),
  ]
}

/** Metrics of the mounted files. */
export function mountedMetrics(world: World): Metric[] {
  const gauge = (name: string, help: string, value: (mounted: Mounted<unknown>) => number): Metric => ({
    name: `culvert_${name}`,
    type: 'gauge',
    help,
    samples: mountedFiles(world).map(([file, mounted]) => ({ labels: { file }, value: value(mounted) })),
  })
  return [
    gauge(
      'config_rejected',
      'Whether nothing of a mounted file can be used as it is now: 1 when its last good state is used.',
      (mounted) => Number(mounted.rejected !== undefined),
    ),
    gauge(
      'config_rejected_entries',
      'How many entries of a mounted file cannot be used as they are.',
      (mounted) => new Set(rejectedEntries(mounted).map(({ entry }) => entry)).size,
    ),
    infoMetric(
      'culvert_config_rejected_entry_info',
      'What of the mounted files cannot be used, and why; at most 100.',
      mountedRejections(world),
    ),
  ]
}

/** The mounted files by the names of their documents. */
const mountedFiles = (world: World): [file: string, mounted: Mounted<unknown>][] =>
  mountedKeys.flatMap((key) => {
    const mounted = world.mounted[key]
    return mounted === undefined ? [] : [[documents[key].name, mounted]]
  })

/** Documents that are not lists of entries have none. */
export const rejectedEntries = ({ content }: Mounted<unknown>): readonly Rejection[] => listed(content).rejections ?? []
const passedOver = ({ content }: Mounted<unknown>): readonly Rejection[] => listed(content).warnings ?? []
const listed = (content: unknown) =>
  (content ?? {}) as { readonly [List in 'rejections' | 'warnings']?: readonly Rejection[] }
