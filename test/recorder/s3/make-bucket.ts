// Runs in a host: node make-bucket.ts ENDPOINT BUCKET; makes it as soon as the S3 server listens.
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { codeOf } from '../../../lib/errors.ts'
import { poll } from '../../lab/poll.ts'
import { accessKeyId, secretAccessKey } from './keys.ts'

const [endpoint = '', Bucket = ''] = process.argv.slice(2)
const credentials = { accessKeyId, secretAccessKey }
const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials })

await poll(
  `the bucket ${Bucket}`,
  () =>
    client.send(new CreateBucketCommand({ Bucket })).catch((error: unknown) => {
      if (codeOf(error) !== 'ECONNREFUSED') throw error
    }),
  100,
)
