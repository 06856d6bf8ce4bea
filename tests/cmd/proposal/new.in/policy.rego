package policy

api_version := "0.10.0"
