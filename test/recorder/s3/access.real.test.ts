import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GetObjectRetentionCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makePair, type Pair } from '../../certs/make.ts'
import { CredentialsServer } from './credentials.ts'
import { accessKeyId, secretAccessKey } from './keys.ts'
import { aRecording, type Options, record, S3Bed } from './s3-bed.ts'
import { S3Server } from './s3-server.ts'
import { sessionToken } from './session.ts'

let server: S3Server
let giving: CredentialsServer
let pair: Pair
const folder = mkdtempSync(join(tmpdir(), 'culvert-'))
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}
beforeAll(async () => {
  ;[server, giving, pair] = await Promise.all([
    S3Server.start(),
    CredentialsServer.start(),
    makePair(['x'], ['127.0.0.1']),
  ])
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await giving[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

/** Records with these settings; gives the bed, with the recording in S3. */
async function recorded(options: Options): Promise<S3Bed> {
  const bed = await S3Bed.start(server, options)
  await record(bed.recorder)
  expect(await bed.kept()).toEqual([aRecording])
  return bed
}

/** Of the request that has stored it. */
const headersOf = ({ gateway }: S3Bed) => gateway.requests.findLast(({ what }) => what.startsWith('PUT '))!.headers

const profile = (secret: string): string =>
  `[lab]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secret}\n`

describe.concurrent('credentials come from', () => {
  it('a file, and are read again when they are not accepted any more', async () => {
    const path = file('credentials', profile(secretAccessKey))
    const credentials = { AWS_PROFILE: 'lab', AWS_SHARED_CREDENTIALS_FILE: path }
    await using bed = await recorded({ credentials })
    const { recorder, gateway } = bed
    gateway.fail({ status: 403, code: 'InvalidAccessKeyId' })
    file('credentials', profile('wrong'))
    await record(recorder)
    await recorder.logged(/nothing can be stored in S3: .*InvalidAccessKeyId.*See to the credentials/)
    gateway.recover()
    expect((await recorder.probe('/readyz')).body).toContain('See to the credentials')
    file('credentials', profile(secretAccessKey))
    expect(await bed.kept()).toEqual([aRecording, aRecording])
    expect((await recorder.probe('/readyz')).status).toBe(200)
    for (const secret of [secretAccessKey, accessKeyId]) expect(recorder.log).not.toContain(secret)
  })

  it('a web identity', async () => {
    const credentials = {
      AWS_WEB_IDENTITY_TOKEN_FILE: file('token', giving.token),
      AWS_ROLE_ARN: 'arn:aws:iam::1:role/recorder',
      AWS_ENDPOINT_URL_STS: giving.url,
    }
    await using bed = await recorded({ credentials })
    expect(giving.given).toContain('web identity of arn:aws:iam::1:role/recorder')
    expect(headersOf(bed)['x-amz-security-token']).toBe(sessionToken)
  })

  it('the role of an instance', async () => {
    const credentials = { AWS_EC2_METADATA_DISABLED: 'false', AWS_EC2_METADATA_SERVICE_ENDPOINT: giving.url }
    await using bed = await recorded({ credentials })
    expect(giving.given).toContain('instance')
    expect(headersOf(bed)['x-amz-security-token']).toBe(sessionToken)
  })

  it('the role of a Pod', async () => {
    const credentials = {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${giving.url}/container`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: file('pod-token', giving.token),
    }
    await using bed = await recorded({ credentials })
    expect(giving.given).toContain('container')
    expect(headersOf(bed)['x-amz-security-token']).toBe(sessionToken)
  })

  it('nowhere, which is said', async () => {
    await using bed = await S3Bed.start(server, { credentials: {} })
    await bed.recorder.logged(/nothing can be stored in S3: .*credentials/i)
    expect((await bed.recorder.probe('/readyz')).status).toBe(503)
  })
})

describe.concurrent('S3', () => {
  it('is asked by HTTPS, with authorities of one’s own', async () => {
    const tls = { key: pair.key, cert: pair.certificate }
    for (const ca of [file('ca.pem', pair.certificate), pair.certificate]) {
      await using trusting = await recorded({ tls, env: { CULVERT_RECORDER_S3_CA: ca } })
      expect(trusting.gateway.requests.length).toBeGreaterThan(0)
    }
    await using other = await S3Bed.start(server, { tls })
    await other.recorder.logged(/nothing can be stored in S3: .*self-signed certificate.*See to the network/)
  })

  it('keeps recordings from being removed, for the time that is set', async () => {
    const before = Date.now()
    await using bed = await recorded({ bucket: 'locking', env: { CULVERT_RECORDER_S3_LOCK: 'governance=90d' } })
    const [Key] = bed.recorder.files
    const { Retention } = await server.client.send(new GetObjectRetentionCommand({ Bucket: bed.bucket, Key }))
    expect(Retention?.Mode).toBe('GOVERNANCE')
    const until = Retention!.RetainUntilDate!.getTime() - 90 * 86_400_000
    // Without fractions of a second.
    expect(until).toBeGreaterThan(before - 1000)
    expect(until).toBeLessThanOrEqual(Date.now())
  })

  it.each([
    [{ CULVERT_RECORDER_S3_ENCRYPTION: 'AES256' }, { 'x-amz-server-side-encryption': 'AES256' }],
    [
      { CULVERT_RECORDER_S3_ENCRYPTION: 'aws:kms=a-key' },
      { 'x-amz-server-side-encryption': 'aws:kms', 'x-amz-server-side-encryption-aws-kms-key-id': 'a-key' },
    ],
    [{}, { 'x-amz-checksum-crc32': expect.any(String) as string }],
    [{ S3_SEND_CONTENT_MD5: 'true' }, { 'content-md5': expect.any(String) as string }],
    [{ AWS_REGION: 'us-east-1' }, { authorization: expect.stringContaining('/us-east-1/s3/') as string }],
  ])('is told of %j', async (env, headers) => {
    await using bed = await recorded({ env })
    expect(headersOf(bed)).toMatchObject(headers)
    if ('S3_SEND_CONTENT_MD5' in env) expect(headersOf(bed)).not.toHaveProperty('x-amz-checksum-crc32')
  })
})
