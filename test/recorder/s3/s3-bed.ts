import { CreateBucketCommand, ListMultipartUploadsCommand } from '@aws-sdk/client-s3'
import { expect } from 'vitest'
import { poll } from '../../lab/poll.ts'
import { header, output, RecorderBed } from '../recorder-bed.ts'
import { Gateway, type Tls } from './gateway.ts'
import { accessKeyId, secretAccessKey } from './keys.ts'
import type { S3Server } from './s3-server.ts'

let buckets = 0

export const aRecording = `${header()}${output(1, 'seen')}`

/** Uploads a recording to its end; all of it is reported as stored. */
export async function record(recorder: RecorderBed, text = aRecording): Promise<void> {
  const upload = await (await recorder.upload()).begun()
  await upload.write(text)
  expect((await upload.end()).at(-1)).toEqual({ ack: Buffer.byteLength(text) })
}

/** Credentials as variables. */
const keys = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey }

/** Of a bed. */
export type Options = {
  readonly env?: Readonly<Record<string, string>>
  /** Those that stay, unless the test gives others. */
  readonly credentials?: Readonly<Record<string, string>>
  /** Of the gateway. */
  readonly tls?: Tls
  /** Whether the bucket is there, and whether it has object lock. */
  readonly bucket?: 'plain' | 'locking' | 'missing'
  /** Before the recorder starts. */
  readonly prepare?: (directory: string) => Promise<() => Promise<unknown>>
}

/** A recorder that keeps its recordings in a new bucket, which it reaches by a gateway. */
export class S3Bed implements AsyncDisposable {
  readonly server: S3Server
  readonly gateway: Gateway
  readonly recorder: RecorderBed
  readonly bucket: string

  private constructor(server: S3Server, gateway: Gateway, recorder: RecorderBed, bucket: string) {
    this.server = server
    this.gateway = gateway
    this.recorder = recorder
    this.bucket = bucket
  }

  static async start(server: S3Server, options: Options = {}): Promise<S3Bed> {
    const { env = {}, credentials = keys, tls, bucket: kind = 'plain', prepare } = options
    buckets += 1
    const bucket = `recordings-${buckets}`
    const gateway = await Gateway.start(server.socket, tls)
    if (kind !== 'missing') await makeBucket(server, bucket, kind === 'locking')
    const settings = {
      TSRECORDER_DST: `s3://${gateway.host}`,
      TSRECORDER_BUCKET: bucket,
      CULVERT_RECORDER_S3_TLS: String(tls !== undefined),
      AWS_EC2_METADATA_DISABLED: 'true',
      ...credentials,
      ...env,
    }
    const recorder = await RecorderBed.start(settings, prepare, server.directoryOf(bucket))
    return new S3Bed(server, gateway, recorder, bucket)
  }

  async makeBucket(): Promise<void> {
    await makeBucket(this.server, this.bucket, false)
  }

  /** All that is in the bucket, when nothing has to be uploaded any more. */
  async kept(): Promise<string[]> {
    const { recorder } = this
    await recorder.settled()
    expect(recorder.spooled).toEqual([])
    return recorder.files.map((file) => recorder.read(file))
  }

  /** Keys of uploads of parts that are not at their end. */
  async unfinished(): Promise<string[]> {
    const { Uploads = [] } = await this.server.client.send(new ListMultipartUploadsCommand({ Bucket: this.bucket }))
    return Uploads.flatMap(({ Key }) => Key ?? [])
  }

  /** Resolves when a request has come, such as `/^PUT /`, since the first `from` of them. */
  async asked(which: RegExp, from = 0): Promise<void> {
    await poll(`a request ${which}`, () =>
      this.gateway.requests.slice(from).some(({ what }) => which.test(what)) ? true : undefined,
    )
  }

  /** Resolves when something has failed for this reason. */
  async failed(reason: string): Promise<void> {
    const name = `culvert_recorder_s3_failures_total{reason="${reason}"}`
    await poll(`a failure: ${reason}`, async () => ((await this.recorder.metric(name)) ?? 0) > 0 || undefined)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.recorder[Symbol.asyncDispose]()
    this.gateway.close()
  }
}

async function makeBucket({ client }: S3Server, Bucket: string, ObjectLockEnabledForBucket: boolean): Promise<void> {
  await client.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket }))
}
