import { z } from 'zod'
import { clientKinds } from '../connections/client-options.ts'
import { checkResults, probeOutcomes, scopeSources, severities } from '../doctor/report.ts'
import { stepVerdicts } from '../upstream/discovery-step.ts'

export const doctorBody = z.strictObject({
  url: z.string().describe('The address of the MCP server. No connector needs to exist.'),
  client_id: z
    .string()
    .min(1)
    .max(2048)
    .nullish()
    .transform((value) => value ?? undefined)
    .describe('An OAuth client that you have at its authorization server. It is not sent anywhere.'),
})

const check = z.enum(checkResults)

export const diagnosisSchema = z
  .object({
    url: z.string(),
    preset_id: z.string().nullable().describe('The preset that connectors for this URL get.'),
    verdict: z
      .string()
      .describe('What connect would come to: `connected`, `auth_required`, or the code with which it would refuse.'),
    probe: z
      .object({
        outcome: z.enum(probeOutcomes).describe('`blocked` is told to administrators; others read `unreachable`.'),
        status: z.int().nullable(),
        protocol_version: z.string().nullable(),
        challenge: z
          .object({
            resource_metadata: z.string().nullable(),
            scopes: z.array(z.string()),
            error: z.string().nullable(),
          })
          .nullable()
          .describe('What WWW-Authenticate says; null without a Bearer challenge.'),
      })
      .describe('The server, asked without a credential.'),
    documents: z
      .array(
        z.object({
          document: z.enum(['protected_resource_metadata', 'authorization_server_metadata']),
          source: z.enum(['challenge', 'path', 'root']),
          url: z.string(),
          status: z.int().nullable(),
          verdict: z.enum(stepVerdicts),
        }),
      )
      .describe('Every metadata document that was tried, in order.'),
    checks: z.object({
      resource: check.describe('The metadata is for this server (RFC 9728 section 3.3).'),
      issuer: check.describe('The metadata is of the named issuer (RFC 8414 section 3.3).'),
      pkce: check.describe('S256 is offered.'),
    }),
    authorization_server: z
      .object({
        issuer: z.string(),
        authorization_endpoint: z.string(),
        token_endpoint: z.string(),
        registration_endpoint: z.string().nullable(),
        revocation_endpoint: z.string().nullable(),
        token_endpoint_auth_methods: z.array(z.string()),
        iss_parameter_supported: z.boolean(),
        client_id_metadata_document_supported: z.boolean(),
        legacy_fallback: z.boolean().describe('Nothing is published; these are the defaults of MCP 2025-03-26.'),
      })
      .nullable(),
    resource: z.string().nullable().describe("RFC 8707's resource, as it would be sent."),
    clients: z
      .array(z.object({ kind: z.enum(clientKinds), available: z.boolean(), used: z.boolean() }))
      .describe('The ways to be known as a client, in the order in which they are tried.'),
    scopes: z
      .object({ values: z.array(z.string()), source: z.enum(scopeSources) })
      .nullable()
      .describe('What would be asked for, and where that comes from.'),
    findings: z.array(
      z.object({
        severity: z.enum(severities),
        code: z.string(),
        problem: z.string(),
        fix: z.string().nullable(),
      }),
    ),
  })
  .meta({ id: 'Diagnosis' })
