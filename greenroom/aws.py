"""The one room of boto3: sessions, and what AWS refuses as one sentence with a next step."""
