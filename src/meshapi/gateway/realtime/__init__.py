"""/v1/realtime: `endpoint` is the upgrade, `session` what says and waits; the rest only decides."""
