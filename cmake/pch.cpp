// The one translation unit that builds the precompiled header every target shares.
