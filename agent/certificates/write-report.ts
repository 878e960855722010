import { isDeepStrictEqual } from 'node:util'
import type { CertificateReport } from '../../certs/report.ts'
import type { Write } from '../world/store.ts'
import type { Certificates } from '../world/world.ts'

/** Writes the report of a name; undefined removes it. */
export const writeReport = (write: Write<Certificates>, domain: string, report: CertificateReport | undefined): void =>
  write((now) => {
    if (isDeepStrictEqual(now.reports.get(domain), report)) return now
    const reports = new Map(now.reports)
    if (report === undefined) reports.delete(domain)
    else reports.set(domain, report)
    return { ...now, reports }
  })
