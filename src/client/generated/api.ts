// Generated from the OpenAPI document (npm run docs). Changes belong into the schemas of src/http.

type problem = {
  headers: { [name: string]: unknown }
  content: {
    "application/problem+json": components["schemas"]["Problem"]
  }
}

export interface paths {
  "/api/v1/connectors/presets": {
    parameters: {
      query?: never
      header?: never
      path?: never
      cookie?: never
    }
    /** The catalog of known MCP servers */
    get: {
      parameters: {
        query?: never
        header?: never
        path?: never
        cookie?: never
      }
      responses: {
        200: {
          headers: { [name: string]: unknown }
          content: {
            "application/json": {
              items: (components["schemas"]["Preset"])[]
              total_count: number
              has_more: boolean
              next_page_token: string | null
            }
          }
        }
        400: problem
        401: problem
        403: problem
        429: problem
        500: problem
        503: problem
      }
    }
  }
  "/api/v1/connectors": {
    parameters: {
      query?: never
      header?: never
      path?: never
      cookie?: never
    }
    /** Register a remote MCP server */
    post: {
      parameters: {
        query?: never
        header?: never
        path?: never
        cookie?: never
      }
      requestBody: {
        content: {
          "application/json": {
            /** The address of the MCP server. */
            url: string
            /** An OAuth client that you registered with the server. */
            client_id?: string | null | undefined
            /** Its secret. Never shown again. */
            client_secret?: string | null | undefined
            metadata?: { [key: string]: string } | null | undefined
            /** Whether a preset for this URL supplies what you leave out. Default: true. */
            match_preset?: boolean | null | undefined
            transport?: "auto" | "streamable_http" | "sse" | "websocket" | null | undefined
            /** How the server is authorized. Default: found out by asking it. */
            auth?: {
              type: "auto" | "none" | "oauth2"
            } | {
              type: "token"
              /** Never shown again. Default: comes with each connect, as access_token. */
              token?: string | null | undefined
              /** Default: Authorization. */
              header?: string | null | undefined
              /** What stands before the token. Default: Bearer in Authorization, nothing elsewhere. */
              scheme?: string | null | undefined
            } | {
              type: "client_credentials"
              client_id: string
              /** Never shown again. */
              client_secret?: string | null | undefined
              /** PKCS #8 in PEM, for private_key_jwt. Never shown again. */
              private_key?: string | null | undefined
              /** How the authorization server knows the key. */
              key_id?: string | null | undefined
              /** Default: what the key is made for. */
              signing_algorithm?: "ES256" | "ES384" | "ES512" | "RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512" | "EdDSA" | null | undefined
            } | null | undefined
            /** OAuth scopes to ask for. Default: those that the server names. */
            scopes?: (string)[] | null | undefined
            /** `user`: each person connects for themselves; `tenant`: one connection for all. */
            credential_scope?: "user" | "tenant" | null | undefined
            /** Tells several connectors for one URL apart. */
            label?: string | null | undefined
          }
        }
      }
      responses: {
        201: {
          headers: { [name: string]: unknown }
          content: {
            "application/json": components["schemas"]["Connector"]
          }
        }
        400: problem
        401: problem
        403: problem
        409: problem
        413: problem
        415: problem
        429: problem
        500: problem
        503: problem
      }
    }
    /** Your connectors and your organisation's */
    get: {
      parameters: {
        query?: {
          limit?: number | undefined
          page_token?: string | undefined
          /** By time of creation. */
          order?: "asc" | "desc" | undefined
          state?: "created" | "auth_required" | "connected" | "disconnected" | undefined
          url?: string | undefined
          preset?: string | undefined
          /** Text in the URL, the label or the metadata. */
          q?: string | undefined
        }
        header?: never
        path?: never
        cookie?: never
      }
      responses: {
        200: {
          headers: { [name: string]: unknown }
          content: {
            "application/json": {
              items: (components["schemas"]["Connector"])[]
              total_count: number
              has_more: boolean
              next_page_token: string | null
            }
          }
        }
        400: problem
        401: problem
        403: problem
        429: problem
        500: problem
        503: problem
      }
    }
  }
  "/api/v1/connectors/{id}": {
    parameters: {
      query?: never
      header?: never
      path?: never
      cookie?: never
    }
    /** One connector */
    get: {
      parameters: {
        query?: never
        header?: never
        path: {
          id: string
        }
        cookie?: never
      }
      responses: {
        200: {
          headers: { [name: string]: unknown }
          content: {
            "application/json": components["schemas"]["Connector"]
          }
        }
        400: problem
        401: problem
        403: problem
        404: problem
        429: problem
        500: problem
        503: problem
      }
    }
    /** Change a connector */
    patch: {
      parameters: {
        query?: never
        header?: never
        path: {
          id: string
        }
        cookie?: never
      }
      requestBody: {
        content: {
          "application/json": {
            url?: string | undefined
            client_id?: string | null | undefined
            client_secret?: string | null | undefined
            metadata?: { [key: string]: string } | null | undefined
            transport?: "auto" | "streamable_http" | "sse" | "websocket" | undefined
            auth?: {
              type: "auto" | "none" | "oauth2"
            } | {
              type: "token"
              /** Never shown again. Default: comes with each connect, as access_token. */
              token?: string | null | undefined
              /** Default: Authorization. */
              header?: string | null | undefined
              /** What stands before the token. Default: Bearer in Authorization, nothing elsewhere. */
              scheme?: string | null | undefined
            } | {
              type: "client_credentials"
              client_id: string
              /** Never shown again. */
              client_secret?: string | null | undefined
              /** PKCS #8 in PEM, for private_key_jwt. Never shown again. */
              private_key?: string | null | undefined
              /** How the authorization server knows the key. */
              key_id?: string | null | undefined
              /** Default: what the key is made for. */
              signing_algorithm?: "ES256" | "ES384" | "ES512" | "RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512" | "EdDSA" | null | undefined
            } | undefined
            scopes?: (string)[] | undefined
            label?: string | undefined
            enabled?: boolean | undefined
          }
        }
      }
      responses: {
        200: {
          headers: { [name: string]: unknown }
          content: {
            "application/json": components["schemas"]["Connector"]
          }
        }
        400: problem
        401: problem
        403: problem
        404: problem
        409: problem
        413: problem
        415: problem
        429: problem
        500: problem
        503: problem
      }
    }
    /** Delete a connector */
    delete: {
      parameters: {
        query?: never
        header?: never
        path: {
          id: string
        }
        cookie?: never
      }
      responses: {
        204: {
          headers: { [name: string]: unknown }
          content?: never
        }
        400: problem
        401: problem
        403: problem
        404: problem
        429: problem
        500: problem
        503: problem
      }
    }
  }
  "/api/v1/connectors/{id}/connect": {
    parameters: {
      query?: never
      header?: never
      path?: never
      cookie?: never
    }
    /** Connect */
    post: {
      parameters: {
        query?: never
        header?: never
        path: {
          id: string
        }
        cookie?: never
      }
      requestBody?: {
        content: {
          "application/json": {
            /** Where the browser goes afterwards. Default: a page of ours. */
            redirect_url?: string | null | undefined
            /** A token that you have already; then nobody is asked. */
            access_token?: string | null | undefined
            /** Connect only after you post the completion that comes back with redirect_url. */
            completion?: "code" | null | undefined
            /** The person for whom a service connects. */
            subject?: string | null | undefined
          } | null
        }
      }
      responses: {
        200: {
          headers: { [name: string]: unknown }
          content: {
            "application/json": components["schemas"]["Connector"]
          }
        }
        400: problem
        401: problem
        403: problem
        404: problem
        409: problem
        413: problem
        415: problem
        429: problem
        500: problem
        502: problem
        503: problem
        504: problem
      }
    }
  }
  "/api/v1/connectors/{id}/connect/complete": {
    parameters: {
      query?: never
      header?: never
      path?: never
      cookie?: never
    }
    /** Finish a connect that asked for a completion */
    post: {
      parameters: {
        query?: never
        header?: never
        path: {
          id: string
        }
        cookie?: never
      }
      requestBody: {
        content: {
          "application/json": {
            /** What came with redirect_url. */
            completion: string
          }
        }
      }
      responses: {
        200: {
          headers: { [name: string]: unknown }
          content: {
            "application/json": components["schemas"]["Connector"]
          }
        }
        400: problem
        401: problem
        403: problem
        404: problem
        410: problem
        413: problem
        415: problem
        429: problem
        500: problem
        502: problem
        503: problem
        504: problem
      }
    }
  }
  "/api/v1/connectors/{id}/disconnect": {
    parameters: {
      query?: never
      header?: never
      path?: never
      cookie?: never
    }
    /** Disconnect */
    post: {
      parameters: {
        query?: never
        header?: never
        path: {
          id: string
        }
        cookie?: never
      }
      responses: {
        200: {
          headers: { [name: string]: unknown }
          content: {
            "application/json": components["schemas"]["Connector"]
          }
        }
        400: problem
        401: problem
        403: problem
        404: problem
        429: problem
        500: problem
        503: problem
      }
    }
  }
  "/api/v1/connectors/{id}/refresh": {
    parameters: {
      query?: never
      header?: never
      path?: never
      cookie?: never
    }
    /** Get a new access token now */
    post: {
      parameters: {
        query?: never
        header?: never
        path: {
          id: string
        }
        cookie?: never
      }
      responses: {
        200: {
          headers: { [name: string]: unknown }
          content: {
            "application/json": components["schemas"]["Connector"]
          }
        }
        400: problem
        401: problem
        403: problem
        404: problem
        409: problem
        429: problem
        500: problem
        502: problem
        503: problem
        504: problem
      }
    }
  }
  "/api/v1/connectors/{id}/events": {
    parameters: {
      query?: never
      header?: never
      path?: never
      cookie?: never
    }
    /** What happened to a connector, and why */
    get: {
      parameters: {
        query?: {
          limit?: number | undefined
          page_token?: string | undefined
        }
        header?: never
        path: {
          id: string
        }
        cookie?: never
      }
      responses: {
        200: {
          headers: { [name: string]: unknown }
          content: {
            "application/json": {
              items: (components["schemas"]["Event"])[]
              total_count: number
              has_more: boolean
              next_page_token: string | null
            }
          }
        }
        400: problem
        401: problem
        403: problem
        404: problem
        429: problem
        500: problem
        503: problem
      }
    }
  }
  "/api/v1/doctor": {
    parameters: {
      query?: never
      header?: never
      path?: never
      cookie?: never
    }
    /** Find out what connecting a URL would come to, and what to fix */
    post: {
      parameters: {
        query?: never
        header?: never
        path?: never
        cookie?: never
      }
      requestBody: {
        content: {
          "application/json": {
            /** The address of the MCP server. No connector needs to exist. */
            url: string
            /** An OAuth client that you have at its authorization server. It is not sent anywhere. */
            client_id?: string | null | undefined
          }
        }
      }
      responses: {
        200: {
          headers: { [name: string]: unknown }
          content: {
            "application/json": components["schemas"]["Diagnosis"]
          }
        }
        400: problem
        401: problem
        403: problem
        413: problem
        415: problem
        429: problem
        500: problem
        503: problem
      }
    }
  }
  "/api/v1/events": {
    parameters: {
      query?: never
      header?: never
      path?: never
      cookie?: never
    }
    /** What happens to your connectors, as it happens */
    get: {
      parameters: {
        query?: {
          /** Event types, separated by commas. Default: all. */
          types?: string | undefined
          connector_id?: string | undefined
          /** Read on after this event: the last `id` that you have seen. The header `Last-Event-ID` says the same. */
          last_event_id?: string | undefined
        }
        header?: never
        path?: never
        cookie?: never
      }
      responses: {
        200: {
          headers: { [name: string]: unknown }
          content: {
            "text/event-stream": components["schemas"]["Event"]
          }
        }
        400: problem
        401: problem
        403: problem
        429: problem
        500: problem
        503: problem
      }
    }
  }
  "/api/v1/webhooks": {
    parameters: {
      query?: never
      header?: never
      path?: never
      cookie?: never
    }
    /** Be told of what happens to connectors */
    post: {
      parameters: {
        query?: never
        header?: never
        path?: never
        cookie?: never
      }
      requestBody: {
        content: {
          "application/json": {
            /** Where messages are posted to: https, and no address of a private network. */
            url: string
            event_types?: ("connector.created" | "connector.updated" | "connector.connected" | "connector.auth_required" | "connector.disconnected" | "connector.refresh_failed" | "connector.step_up_failed")[] | null | undefined
            description?: string | null | undefined
          }
        }
      }
      responses: {
        201: {
          headers: { [name: string]: unknown }
          content: {
            "application/json": components["schemas"]["WebhookWithSecret"]
          }
        }
        400: problem
        401: problem
        403: problem
        409: problem
        413: problem
        415: problem
        429: problem
        500: problem
        503: problem
      }
    }
    /** Your organisation's webhooks */
    get: {
      parameters: {
        query?: never
        header?: never
        path?: never
        cookie?: never
      }
      responses: {
        200: {
          headers: { [name: string]: unknown }
          content: {
            "application/json": {
              items: (components["schemas"]["Webhook"])[]
              total_count: number
              has_more: boolean
              next_page_token: string | null
            }
          }
        }
        400: problem
        401: problem
        403: problem
        429: problem
        500: problem
        503: problem
      }
    }
  }
  "/api/v1/webhooks/{id}": {
    parameters: {
      query?: never
      header?: never
      path?: never
      cookie?: never
    }
    /** One webhook */
    get: {
      parameters: {
        query?: never
        header?: never
        path: {
          id: string
        }
        cookie?: never
      }
      responses: {
        200: {
          headers: { [name: string]: unknown }
          content: {
            "application/json": components["schemas"]["Webhook"]
          }
        }
        400: problem
        401: problem
        403: problem
        404: problem
        429: problem
        500: problem
        503: problem
      }
    }
    /** Change a webhook, switch it on or off */
    patch: {
      parameters: {
        query?: never
        header?: never
        path: {
          id: string
        }
        cookie?: never
      }
      requestBody: {
        content: {
          "application/json": {
            /** Where messages are posted to: https, and no address of a private network. */
            url?: string | undefined
            /** What to be told of. None: everything that there is. */
            event_types?: ("connector.created" | "connector.updated" | "connector.connected" | "connector.auth_required" | "connector.disconnected" | "connector.refresh_failed" | "connector.step_up_failed")[] | undefined
            description?: string | undefined
            /** Switching on also forgets why it was switched off. */
            enabled?: boolean | undefined
          }
        }
      }
      responses: {
        200: {
          headers: { [name: string]: unknown }
          content: {
            "application/json": components["schemas"]["Webhook"]
          }
        }
        400: problem
        401: problem
        403: problem
        404: problem
        413: problem
        415: problem
        429: problem
        500: problem
        503: problem
      }
    }
    /** Delete a webhook */
    delete: {
      parameters: {
        query?: never
        header?: never
        path: {
          id: string
        }
        cookie?: never
      }
      responses: {
        204: {
          headers: { [name: string]: unknown }
          content?: never
        }
        400: problem
        401: problem
        403: problem
        404: problem
        429: problem
        500: problem
        503: problem
      }
    }
  }
  "/api/v1/webhooks/{id}/rotate-secret": {
    parameters: {
      query?: never
      header?: never
      path?: never
      cookie?: never
    }
    /** Replace the secret */
    post: {
      parameters: {
        query?: never
        header?: never
        path: {
          id: string
        }
        cookie?: never
      }
      requestBody?: {
        content: {
          "application/json": {
            /** For how long the secret before signs too. Default: a day. */
            overlap_seconds?: number | undefined
          } | null
        }
      }
      responses: {
        200: {
          headers: { [name: string]: unknown }
          content: {
            "application/json": components["schemas"]["WebhookWithSecret"]
          }
        }
        400: problem
        401: problem
        403: problem
        404: problem
        409: problem
        413: problem
        415: problem
        429: problem
        500: problem
        503: problem
      }
    }
  }
  "/api/v1/webhooks/{id}/test": {
    parameters: {
      query?: never
      header?: never
      path?: never
      cookie?: never
    }
    /** Send a test message */
    post: {
      parameters: {
        query?: never
        header?: never
        path: {
          id: string
        }
        cookie?: never
      }
      responses: {
        200: {
          headers: { [name: string]: unknown }
          content: {
            "application/json": components["schemas"]["WebhookDelivery"]
          }
        }
        400: problem
        401: problem
        403: problem
        404: problem
        409: problem
        429: problem
        500: problem
        503: problem
      }
    }
  }
  "/api/v1/webhooks/{id}/deliveries": {
    parameters: {
      query?: never
      header?: never
      path?: never
      cookie?: never
    }
    /** What was sent, and what became of it */
    get: {
      parameters: {
        query?: {
          limit?: number | undefined
          page_token?: string | undefined
          status?: "pending" | "delivered" | "failed" | undefined
        }
        header?: never
        path: {
          id: string
        }
        cookie?: never
      }
      responses: {
        200: {
          headers: { [name: string]: unknown }
          content: {
            "application/json": {
              items: (components["schemas"]["WebhookDelivery"])[]
              total_count: number
              has_more: boolean
              next_page_token: string | null
            }
          }
        }
        400: problem
        401: problem
        403: problem
        404: problem
        429: problem
        500: problem
        503: problem
      }
    }
  }
  "/api/v1/webhooks/{id}/deliveries/{delivery_id}/replay": {
    parameters: {
      query?: never
      header?: never
      path?: never
      cookie?: never
    }
    /** Send one message again */
    post: {
      parameters: {
        query?: never
        header?: never
        path: {
          id: string
          delivery_id: string
        }
        cookie?: never
      }
      responses: {
        200: {
          headers: { [name: string]: unknown }
          content: {
            "application/json": components["schemas"]["WebhookDelivery"]
          }
        }
        400: problem
        401: problem
        403: problem
        404: problem
        409: problem
        429: problem
        500: problem
        503: problem
      }
    }
  }
  "/api/v1/webhooks/{id}/replay": {
    parameters: {
      query?: never
      header?: never
      path?: never
      cookie?: never
    }
    /** Send what did not arrive since a time */
    post: {
      parameters: {
        query?: never
        header?: never
        path: {
          id: string
        }
        cookie?: never
      }
      requestBody: {
        content: {
          "application/json": {
            /** From when on everything that did not arrive is sent again. */
            since: string
          }
        }
      }
      responses: {
        200: {
          headers: { [name: string]: unknown }
          content: {
            "application/json": {
              /** How many messages are sent. */
              replayed: number
            }
          }
        }
        400: problem
        401: problem
        403: problem
        404: problem
        409: problem
        413: problem
        415: problem
        429: problem
        500: problem
        503: problem
      }
    }
  }
  "/api/v1/connectors/{id}/connect-tokens": {
    parameters: {
      query?: never
      header?: never
      path?: never
      cookie?: never
    }
    /** Make a token with which a person says on the consent page who they are */
    post: {
      parameters: {
        query?: never
        header?: never
        path: {
          id: string
        }
        cookie?: never
      }
      requestBody?: {
        content: {
          "application/json": {
            /** Whom it makes known. Default: you. Required for a service. */
            subject?: string | null | undefined
            /** What the subject is. Default: user. */
            kind?: "user" | "agent" | null | undefined
            /** How long it can be pasted. */
            ttl_seconds?: number | undefined
          } | null
        }
      }
      responses: {
        201: {
          headers: { [name: string]: unknown }
          content: {
            "application/json": components["schemas"]["ConnectToken"]
          }
        }
        400: problem
        401: problem
        403: problem
        404: problem
        413: problem
        415: problem
        429: problem
        500: problem
        503: problem
      }
    }
  }
  "/api/v1/connectors/{id}/install": {
    parameters: {
      query?: never
      header?: never
      path?: never
      cookie?: never
    }
    /** How to take a connector into the hosts that people use: links, commands, settings */
    get: {
      parameters: {
        query?: never
        header?: never
        path: {
          id: string
        }
        cookie?: never
      }
      responses: {
        200: {
          headers: { [name: string]: unknown }
          content: {
            "application/json": components["schemas"]["Installation"]
          }
        }
        400: problem
        401: problem
        403: problem
        404: problem
        429: problem
        500: problem
        503: problem
      }
    }
  }
  "/api/v1/grants": {
    parameters: {
      query?: never
      header?: never
      path?: never
      cookie?: never
    }
    /** What was given to apps: your own, or for managers all of the organisation */
    get: {
      parameters: {
        query?: {
          limit?: number | undefined
          page_token?: string | undefined
        }
        header?: never
        path?: never
        cookie?: never
      }
      responses: {
        200: {
          headers: { [name: string]: unknown }
          content: {
            "application/json": {
              items: (components["schemas"]["Grant"])[]
              total_count: number
              has_more: boolean
              next_page_token: string | null
            }
          }
        }
        400: problem
        401: problem
        403: problem
        429: problem
        500: problem
        503: problem
      }
    }
  }
  "/api/v1/grants/{id}": {
    parameters: {
      query?: never
      header?: never
      path?: never
      cookie?: never
    }
    /** Take back what was given to an app */
    delete: {
      parameters: {
        query?: never
        header?: never
        path: {
          id: string
        }
        cookie?: never
      }
      responses: {
        204: {
          headers: { [name: string]: unknown }
          content?: never
        }
        400: problem
        401: problem
        403: problem
        404: problem
        429: problem
        500: problem
        503: problem
      }
    }
  }
  "/api/v1/api-keys": {
    parameters: {
      query?: never
      header?: never
      path?: never
      cookie?: never
    }
    /** Make an API key */
    post: {
      parameters: {
        query?: never
        header?: never
        path?: never
        cookie?: never
      }
      requestBody: {
        content: {
          "application/json": {
            /** What the key is for; people who connect see it. */
            label: string
            /** Whom the key speaks for. */
            kind: "user" | "agent" | "service"
            /** Names the person, agent or service in your organisation. */
            subject: string
            /** Default: `member`. Admins manage what the organisation shares. */
            role?: "admin" | "member" | null | undefined
            /** Default: all that the role may have and you have yourself. */
            scopes?: ("connectors:read" | "connectors:write" | "connectors:proxy" | "webhooks" | "analytics" | "audit" | "admin")[] | null | undefined
            /** When the key stops working. Default: never. */
            expires_at?: string | null | undefined
          }
        }
      }
      responses: {
        201: {
          headers: { [name: string]: unknown }
          content: {
            "application/json": components["schemas"]["ApiKeyWithSecret"]
          }
        }
        400: problem
        401: problem
        403: problem
        413: problem
        415: problem
        429: problem
        500: problem
        503: problem
      }
    }
    /** Your organisation's API keys */
    get: {
      parameters: {
        query?: never
        header?: never
        path?: never
        cookie?: never
      }
      responses: {
        200: {
          headers: { [name: string]: unknown }
          content: {
            "application/json": {
              items: (components["schemas"]["ApiKey"])[]
              total_count: number
              has_more: boolean
              next_page_token: string | null
            }
          }
        }
        400: problem
        401: problem
        403: problem
        429: problem
        500: problem
        503: problem
      }
    }
  }
  "/api/v1/api-keys/{id}": {
    parameters: {
      query?: never
      header?: never
      path?: never
      cookie?: never
    }
    /** Revoke an API key, at once and for good */
    delete: {
      parameters: {
        query?: never
        header?: never
        path: {
          id: string
        }
        cookie?: never
      }
      responses: {
        204: {
          headers: { [name: string]: unknown }
          content?: never
        }
        400: problem
        401: problem
        403: problem
        404: problem
        429: problem
        500: problem
        503: problem
      }
    }
  }
  "/api/v1/analytics": {
    parameters: {
      query?: never
      header?: never
      path?: never
      cookie?: never
    }
    /** Who called what, how often, how it ended, and how long it took */
    get: {
      parameters: {
        query?: {
          /** Calls that ended since then; rounded down to the hour. Default: 24 hours before `to`. */
          from?: string | undefined
          /** Calls that ended before; rounded up to the hour. Default: now. */
          to?: string | undefined
          /** What to tell apart, up to four of connector, method, tool, principal, client, outcome, hour, day, separated by commas. */
          group_by?: string | undefined
          connector_id?: string | undefined
          principal_id?: string | undefined
          method?: "initialize" | "ping" | "tools/list" | "tools/call" | "prompts/list" | "prompts/get" | "resources/list" | "resources/templates/list" | "resources/read" | "resources/subscribe" | "resources/unsubscribe" | "completion/complete" | "logging/setLevel" | "server/discover" | "subscriptions/listen" | "tasks/get" | "tasks/list" | "tasks/result" | "tasks/update" | "tasks/cancel" | "notifications/initialized" | "notifications/cancelled" | "notifications/progress" | "notifications/roots/list_changed" | "stream" | "end_session" | "response" | "batch" | "other" | "unread" | undefined
          tool?: string | undefined
          client?: string | undefined
          outcome?: "ok" | "invalid" | "authorization" | "limit" | "patchbay" | "upstream" | "client_gone" | undefined
          limit?: string | undefined
        }
        header?: never
        path?: never
        cookie?: never
      }
      responses: {
        200: {
          headers: { [name: string]: unknown }
          content: {
            "application/json": components["schemas"]["Analytics"]
          }
        }
        400: problem
        401: problem
        403: problem
        429: problem
        500: problem
        503: problem
      }
    }
  }
  "/api/v1/audit": {
    parameters: {
      query?: never
      header?: never
      path?: never
      cookie?: never
    }
    /** Who did what, or tried to, from where, and what came of it */
    get: {
      parameters: {
        query?: {
          limit?: number | undefined
          page_token?: string | undefined
          /** The connector, API key, webhook or grant that it was about. */
          target_id?: string | undefined
          /** Who did it. */
          subject?: string | undefined
          /** The operation, as `operationId` in this document names it. */
          action?: string | undefined
          channel?: "api" | "page" | "cli" | undefined
          outcome?: "ok" | "refused" | "failed" | "unfinished" | undefined
          /** At that time or later. */
          since?: string | undefined
          /** Before that time. */
          until?: string | undefined
        }
        header?: never
        path?: never
        cookie?: never
      }
      responses: {
        200: {
          headers: { [name: string]: unknown }
          content: {
            "application/json": {
              items: (components["schemas"]["AuditEntry"])[]
              total_count: number
              has_more: boolean
              next_page_token: string | null
            }
          }
        }
        400: problem
        401: problem
        403: problem
        429: problem
        500: problem
        503: problem
      }
    }
  }
  "/api/v1/audit/export": {
    parameters: {
      query?: never
      header?: never
      path?: never
      cookie?: never
    }
    /** The same as a file, one entry a line, oldest first */
    get: {
      parameters: {
        query?: {
          /** Read on after this entry: the last `id` of the export before. */
          after?: string | undefined
          /** Lines at most. */
          limit?: string | undefined
          /** The connector, API key, webhook or grant that it was about. */
          target_id?: string | undefined
          /** Who did it. */
          subject?: string | undefined
          /** The operation, as `operationId` in this document names it. */
          action?: string | undefined
          channel?: "api" | "page" | "cli" | undefined
          outcome?: "ok" | "refused" | "failed" | "unfinished" | undefined
          /** At that time or later. */
          since?: string | undefined
          /** Before that time. */
          until?: string | undefined
        }
        header?: never
        path?: never
        cookie?: never
      }
      responses: {
        200: {
          headers: { [name: string]: unknown }
          content: {
            "application/x-ndjson": components["schemas"]["AuditEntry"]
          }
        }
        400: problem
        401: problem
        403: problem
        429: problem
        500: problem
        503: problem
      }
    }
  }
}

export interface components {
  schemas: {
    Preset: {
      id: string
      url: string
      metadata: { [key: string]: string } | null
      /** What connecting takes, as the vendor says. Connecting finds out by itself. */
      auth_hint: "oauth2" | "token" | "none" | null
      /** How far the entry was tried: not at all, its discovery documents were read, an account was connected. */
      verified: "none" | "metadata" | "connected"
    }
    Problem: {
      type: string
      title: string
      status: number
      detail: string
      code: string
      errors?: ({
        path: string
        message: string
      })[]
      request_id: string
    }
    Connector: {
      id: string
      url: string
      /** Where agents and hosts reach this connector. */
      mcp_url: string
      transport: "auto" | "streamable_http" | "sse" | "websocket"
      state: "created" | "auth_required" | "connected" | "disconnected"
      auth_request: {
        type: "code"
        /** Open this in a browser. */
        authorization_endpoint: string
      } | null
      disconnect_reason: string | null
      disconnect_code: "client_request" | "connector_changed" | "refresh_token_rejected" | "refresh_token_expired" | "refresh_result_lost" | "refresh_config_error" | "client_rejected" | "malformed_token_response" | "authorization_server_changed" | "insufficient_scope" | "access_token_rejected" | null
      metadata: { [key: string]: string } | null
      preset_id: string | null
      enabled: boolean
      label: string
      credential_scope: "user" | "tenant"
      auth: {
        type: "auto" | "none" | "token" | "oauth2" | "client_credentials"
        /** With type token. */
        header?: string
        /** With type token. */
        scheme?: string
        /** With type token, for those who manage the connector. */
        has_token?: boolean
        /** With type client_credentials, for those who manage the connector. */
        has_private_key?: boolean
        key_id?: string | null
        signing_algorithm?: "ES256" | "ES384" | "ES512" | "RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512" | "EdDSA" | null
      }
      /** For those who manage the connector. */
      client_id?: string | null
      /** For those who manage the connector. */
      has_client_secret?: boolean
      /** What the current grant may do. */
      scopes: (string)[]
      /** True for a server of 2025-03-26 that publishes nothing: PKCE is used, but perhaps not checked. */
      pkce_unverified: boolean
      token_expires_at: string | null
      next_refresh_at: string | null
      /** When a person has to authorize again at the latest, where the server says so. */
      reauth_by: string | null
      last_error: {
        code: string
        at: string
        retryable: boolean
        attempts: number
      } | null
      created_at: string
      updated_at: string
      created_by: string
    }
    Event: {
      id: string
      type: "connector.created" | "connector.updated" | "connector.connected" | "connector.auth_required" | "connector.disconnected" | "connector.refreshed" | "connector.refresh_failed" | "connector.step_up_failed"
      code: string | null
      /** Of a refresh: which class of outcome it was. */
      class: string | null
      detail: string | null
      connector_id: string
      connection_id: string | null
      actor_id: string | null
      at: string
    }
    Diagnosis: {
      url: string
      /** The preset that connectors for this URL get. */
      preset_id: string | null
      /** What connect would come to: `connected`, `auth_required`, or the code with which it would refuse. */
      verdict: string
      /** The server, asked without a credential. */
      probe: {
        /** `blocked` is told to administrators; others read `unreachable`. */
        outcome: "ok" | "unauthorized" | "http_error" | "not_mcp" | "timeout" | "unreachable" | "blocked"
        status: number | null
        protocol_version: string | null
        /** What WWW-Authenticate says; null without a Bearer challenge. */
        challenge: {
          resource_metadata: string | null
          scopes: (string)[]
          error: string | null
        } | null
      }
      /** Every metadata document that was tried, in order. */
      documents: ({
        document: "protected_resource_metadata" | "authorization_server_metadata"
        source: "challenge" | "path" | "root"
        url: string
        status: number | null
        verdict: "used" | "absent" | "invalid" | "resource_mismatch" | "issuer_mismatch" | "unavailable" | "timeout" | "blocked"
      })[]
      checks: {
        /** The metadata is for this server (RFC 9728 section 3.3). */
        resource: "passed" | "failed" | "assumed" | "not_checked"
        /** The metadata is of the named issuer (RFC 8414 section 3.3). */
        issuer: "passed" | "failed" | "assumed" | "not_checked"
        /** S256 is offered. */
        pkce: "passed" | "failed" | "assumed" | "not_checked"
      }
      authorization_server: {
        issuer: string
        authorization_endpoint: string
        token_endpoint: string
        registration_endpoint: string | null
        revocation_endpoint: string | null
        token_endpoint_auth_methods: (string)[]
        iss_parameter_supported: boolean
        client_id_metadata_document_supported: boolean
        /** Nothing is published; these are the defaults of MCP 2025-03-26. */
        legacy_fallback: boolean
      } | null
      /** RFC 8707's resource, as it would be sent. */
      resource: string | null
      /** The ways to be known as a client, in the order in which they are tried. */
      clients: ({
        kind: "given" | "preset" | "metadata_document" | "registration" | "none"
        available: boolean
        used: boolean
      })[]
      /** What would be asked for, and where that comes from. */
      scopes: {
        values: (string)[]
        source: "preset" | "challenge" | "protected_resource_metadata" | "none"
      } | null
      findings: ({
        severity: "error" | "warning" | "note"
        code: string
        problem: string
        fix: string | null
      })[]
    }
    WebhookWithSecret: {
      id: string
      url: string
      event_types: ("connector.created" | "connector.updated" | "connector.connected" | "connector.auth_required" | "connector.disconnected" | "connector.refresh_failed" | "connector.step_up_failed")[]
      description: string
      enabled: boolean
      disabled_code: "client_request" | "endpoint_gone" | "endpoint_failing" | null
      disabled_reason: string | null
      /** Since when nothing has arrived. */
      failing_since: string | null
      /** Until when the secret before signs too. */
      previous_secret_expires_at: string | null
      created_at: string
      updated_at: string
      created_by: string
      /** Signs the messages. Shown this once. */
      secret: string
    }
    Webhook: {
      id: string
      url: string
      event_types: ("connector.created" | "connector.updated" | "connector.connected" | "connector.auth_required" | "connector.disconnected" | "connector.refresh_failed" | "connector.step_up_failed")[]
      description: string
      enabled: boolean
      disabled_code: "client_request" | "endpoint_gone" | "endpoint_failing" | null
      disabled_reason: string | null
      /** Since when nothing has arrived. */
      failing_since: string | null
      /** Until when the secret before signs too. */
      previous_secret_expires_at: string | null
      created_at: string
      updated_at: string
      created_by: string
    }
    WebhookDelivery: {
      /** Of the message: `webhook-id` in its headers. */
      id: string
      type: "connector.created" | "connector.updated" | "connector.connected" | "connector.auth_required" | "connector.disconnected" | "connector.refresh_failed" | "connector.step_up_failed" | "webhook.test"
      status: "pending" | "delivered" | "failed"
      /** Since it was written, or replayed. */
      attempts: number
      next_attempt_at: string | null
      last_attempt_at: string | null
      /** Of the last attempt. */
      duration_ms: number | null
      response_status: number | null
      /** Why the last attempt came to nothing. */
      error: string | null
      created_at: string
    }
    ConnectToken: {
      /** Paste it on the consent page, once. Never shown again. */
      connect_token: string
      subject: string
      kind: "user" | "agent" | "service"
      expires_at: string
    }
    Installation: {
      /** What a host needs; everything else it finds out by itself. */
      mcp_url: string
      hosts: ({
        id: string
        title: string
        /** False where the host runs elsewhere and this address is not public. */
        reachable: boolean
        ways: ({
          /** To open, to run, to add to a settings file, or to paste where the host asks for a URL. */
          kind: "link" | "command" | "json" | "url"
          value: string
        })[]
      })[]
    }
    Grant: {
      id: string
      connector_id: string
      /** The MCP server behind it. */
      connector_url: string
      /** Who gave it. */
      subject: string
      kind: "user" | "agent" | "service"
      client_id: string
      /** The app, as the person saw it. It named itself. */
      client_name: string
      scope: string
      created_at: string
      /** When the app last renewed its access. */
      last_used_at: string | null
      expires_at: string
    }
    ApiKeyWithSecret: {
      id: string
      label: string
      kind: "user" | "agent" | "service"
      subject: string
      role: "admin" | "member"
      scopes: ("connectors:read" | "connectors:write" | "connectors:proxy" | "webhooks" | "analytics" | "audit" | "admin")[]
      /** How the key begins, to tell keys apart. */
      hint: string
      expires_at: string | null
      revoked_at: string | null
      /** To ten minutes. */
      last_used_at: string | null
      created_at: string
      /** The key itself. It is shown this once. */
      key: string
    }
    ApiKey: {
      id: string
      label: string
      kind: "user" | "agent" | "service"
      subject: string
      role: "admin" | "member"
      scopes: ("connectors:read" | "connectors:write" | "connectors:proxy" | "webhooks" | "analytics" | "audit" | "admin")[]
      /** How the key begins, to tell keys apart. */
      hint: string
      expires_at: string | null
      revoked_at: string | null
      /** To ten minutes. */
      last_used_at: string | null
      created_at: string
    }
    Analytics: {
      from: string
      to: string
      items: (components["schemas"]["CallStatistics"])[]
      total_count: number
      /** There are more than `limit`; ask for less at once by filters. */
      has_more: boolean
      next_page_token: null
    }
    CallStatistics: {
      /** Null: the call did not get so far. */
      connector_id?: string | null
      method?: string
      /** Of calls of tools. `other`: beyond the number that is told apart. */
      tool?: string
      principal?: {
        id: string
        kind: "user" | "agent" | "service" | null
        subject: string | null
      }
      /** As it calls itself. Empty where it did not. */
      client?: string
      outcome?: "ok" | "invalid" | "authorization" | "limit" | "patchbay" | "upstream" | "client_gone"
      /** When the hour or day began, UTC. */
      time?: string
      calls: number
      /** Those that ended neither `ok` nor `client_gone`. */
      failed: number
      /** From the request to the end of the answer. Percentiles are estimated from classes, the last of which begins at 300000. Null: nothing that has an end. */
      latency_ms: {
        mean: number
        p50: number
        p90: number
        p99: number
      } | null
    }
    AuditEntry: {
      id: string
      at: string
      ended_at: string | null
      /** The API, a page of ours in a browser, or the command line. */
      channel: "api" | "page" | "cli"
      actor: {
        id: string | null
        kind: "user" | "agent" | "service" | "operator" | "anonymous"
        subject: string
        api_key_id: string | null
        api_key_label: string | null
      }
      /** Of the client, past the proxies that are trusted. */
      address: string | null
      request_id: string | null
      action: string
      target: {
        type: string
        id: string
      } | null
      /** Names of what was given; never a value. */
      fields: (string)[]
      /** `unfinished`: under way, or its process ended before it did. */
      outcome: "ok" | "refused" | "failed" | "unfinished"
      /** Why not, as problem documents name it. */
      code: string | null
    }
  }
}
