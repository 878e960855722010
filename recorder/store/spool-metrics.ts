import { gauge } from '../metrics.ts'
import type { Metric } from '../../lib/metrics.ts'
import type { Uploader } from './uploader.ts'

/** The metrics of a spool. `used`: how many bytes it has, with what is being written. */
export const spoolMetrics = ({ waiting, ms, uploads, failures }: Uploader['state'], used: number): Metric[] => [
  gauge('culvert_recorder_spool', 'Recordings and events that are finished, and not in S3 yet.', waiting),
  gauge('culvert_recorder_spool_bytes', 'What the spool has, with recordings that are being uploaded.', used),
  gauge('culvert_recorder_s3_lag_seconds', 'How long the oldest of them has waited for S3.', ms / 1000),
  {
    name: 'culvert_recorder_s3_uploads_total',
    type: 'counter',
    help: 'Recordings and events that were stored in S3.',
    samples: uploads,
  },
  {
    name: 'culvert_recorder_s3_failures_total',
    type: 'counter',
    help: 'Requests to store something in S3 that failed, by reason.',
    samples: failures,
  },
]
