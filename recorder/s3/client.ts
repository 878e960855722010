import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { getCACertificates } from 'node:tls'
import { CulvertError } from '../../lib/errors.ts'
import { isJsonObject } from '../../lib/json.ts'
import type * as Sdk from './sdk.ts'
import type { S3Settings } from './settings.ts'

/** In milliseconds: to connect, and without any byte in either direction. */
const [connectMs, silentMs] = [10_000, 30_000]

/**
 * Gives clients of the S3 server in the settings, each with credentials that are looked for anew.
 * @throws CulvertError `settings` if the file with certificates cannot be read
 */
export function s3Clients(settings: S3Settings, sdk: typeof Sdk): () => Sdk.S3Client {
  const { endpoint, region, isPathStyle, credentials, isMd5 } = settings
  const ca = settings.ca === undefined ? undefined : readCertificates(settings.ca)
  return () => {
    const client = new sdk.S3Client({
      endpoint,
      region,
      forcePathStyle: isPathStyle,
      // Files may have changed.
      credentials: credentials ?? sdk.defaultProvider({ ignoreCache: true }),
      requestHandler: {
        connectionTimeout: connectMs,
        socketTimeout: silentMs,
        httpsAgent: { keepAlive: true, ...(ca && { ca }) },
      },
      ...(isMd5 && { requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED' }),
    })
    if (isMd5) sendMd5(client)
    return client
  }
}

/** The usual certificates with those given, or in a file. */
function readCertificates(given: string): string[] {
  const usual = getCACertificates('default')
  if (given.includes('-----BEGIN CERTIFICATE-----')) return [...usual, given]
  try {
    return [...usual, readFileSync(given, 'utf8')]
  } catch (cause) {
    throw new CulvertError('settings', `CULVERT_RECORDER_S3_CA: ${given} cannot be read`, { cause })
  }
}

/** Has every body be sent with its MD5. */
const sendMd5 = ({ middlewareStack }: Sdk.S3Client): void =>
  middlewareStack.add(
    (next) => async (given) => {
      const { request } = given
      if (isJsonObject(request) && request['body'] instanceof Uint8Array && isJsonObject(request['headers']))
        Object.assign(request['headers'], {
          'content-md5': createHash('md5').update(request['body']).digest('base64'),
        })
      return next(given)
    },
    { step: 'build', name: 'sendMd5' },
  )
