//! Lists in parts: `limit` and `cursor` in the query, and a link to the next part.
//!
//! A list is the same JSON array with them and without. The cursor is the id of the last item, so
//! items that are added or removed meanwhile shift nothing.

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::HeaderValue;
use axum::http::header::LINK;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use serde_json::Value;
use url::form_urlencoded::{self, Serializer};
use uuid::Uuid;

use super::api_error::{ApiError, ErrorResponse};
use super::dialect::Dialect;
use super::extract::parse_id;
use crate::registry::{KeyFilter, Registry};
use ntro_base::Provider;

const LONGEST: u32 = 500;
const LIMIT: &str = "limit";
const CURSOR: &str = "cursor";
/// Counts from the first item, so it is in no link.
const OFFSET: &str = "offset";

/// The part of a list that a request asks for.
pub(crate) struct Page {
    /// The most items; all if there is no limit.
    pub(crate) limit: Option<u32>,
    /// The id of the item before the first one.
    pub(crate) cursor: Option<String>,
    /// The other parameters.
    others: Vec<(String, String)>,
}

impl Page {
    fn read(query: &str) -> Result<Self, ApiError> {
        let mut page = Self {
            limit: None,
            cursor: None,
            others: Vec::new(),
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let twice = match &*name {
                LIMIT => page.limit.replace(limit(&value)?).is_some(),
                CURSOR => page.cursor.replace(value.into_owned()).is_some(),
                _ => {
                    page.others.push((name.into_owned(), value.into_owned()));
                    continue;
                }
            };
            if twice {
                return Err(ApiError::malformed("The query cannot be read"));
            }
        }
        Ok(page)
    }

    /// Returns the page with a limit if it has none.
    pub(crate) fn limited(self, limit: u32) -> Self {
        let limit = self.limit.or(Some(limit));
        Self { limit, ..self }
    }

    /// Returns the number of items to look up: one more than the page has, to see whether there is a next.
    pub(crate) fn wanted(&self) -> u32 {
        self.limit.map_or(u32::MAX, |limit| limit + 1)
    }

    /// Selects the keys of a tenant.
    pub(crate) async fn keys(
        &self,
        registry: &Registry,
        tenant: Uuid,
        provider: Provider,
    ) -> Result<KeyFilter, ApiError> {
        let after = match &self.cursor {
            None => None,
            Some(cursor) => {
                let id = parse_id(cursor, "key_").ok_or_else(Self::unknown_cursor)?;
                let key = registry.find_key(id).await?;
                key.filter(|key| key.tenant_id == tenant && key.provider == provider)
                    .ok_or_else(Self::unknown_cursor)?;
                Some(id)
            }
        };
        Ok(KeyFilter {
            tenant: Some(tenant),
            provider: Some(provider),
            after,
            limit: self.wanted(),
            offset: 0,
        })
    }

    /// Renders the items that were looked up.
    pub(crate) fn answer<T, B: Serialize>(
        &self,
        mut items: Vec<T>,
        id: impl Fn(&T) -> String,
        render: impl FnMut(&T) -> B,
    ) -> Response {
        let limit = self.limit.map_or(usize::MAX, |limit| limit as usize);
        let has_next = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| has_next).map(id);
        let body: Vec<_> = items.iter().map(render).collect();
        let mut response = Json(body).into_response();
        // An encoded query is always valid.
        let link = next.and_then(|cursor| HeaderValue::try_from(self.link(&cursor)).ok());
        if let Some(link) = link {
            response.headers_mut().insert(LINK, link);
        }
        response
    }

    /// Returns the link to the items behind the cursor (RFC 8288), relative to this request.
    fn link(&self, cursor: &str) -> String {
        let mut query = Serializer::new(String::new());
        query.extend_pairs(self.others.iter().filter(|(name, _)| name != OFFSET));
        if let Some(limit) = self.limit {
            query.append_pair(LIMIT, &limit.to_string());
        }
        query.append_pair(CURSOR, cursor);
        format!("<?{}>; rel=\"next\"", query.finish())
    }

    /// 422 for Ontora, 400 for Ntropii: the list has no item with the cursor's id.
    pub(crate) fn unknown_cursor() -> ApiError {
        rejected(CURSOR, "unknown: begin again without it")
    }
}

fn limit(text: &str) -> Result<u32, ApiError> {
    let limit = text
        .parse()
        .ok()
        .filter(|limit| (1..=LONGEST).contains(limit));
    limit.ok_or_else(|| rejected(LIMIT, &format!("must be an integer from 1 to {LONGEST}")))
}

fn rejected(name: &str, msg: &str) -> ApiError {
    let location: [Value; 2] = ["query".into(), name.into()];
    ApiError::invalid_field(location, msg, "value_error")
}

impl<D: Dialect> FromRequestParts<D> for Page {
    type Rejection = ErrorResponse<D>;

    async fn from_request_parts(parts: &mut Parts, _: &D) -> Result<Self, ErrorResponse<D>> {
        Ok(Self::read(parts.uri.query().unwrap_or_default())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_repeats_the_question() {
        let page = Page::read("workspace_id=a%20b&limit=2&offset=4&cursor=x").unwrap();
        assert_eq!((page.limit, page.wanted()), (Some(2), 3));
        assert_eq!(
            page.link("u&1"),
            "<?workspace_id=a+b&limit=2&cursor=u%261>; rel=\"next\""
        );
        let all = Page::read("").unwrap();
        assert_eq!((all.limit, all.wanted()), (None, u32::MAX));
        assert_eq!(all.limited(100).wanted(), 101);
    }

    #[test]
    fn limit_is_1_to_500_and_once() {
        for query in ["limit=1", "limit=500", "limit=%31"] {
            assert!(Page::read(query).is_ok(), "{query}");
        }
        for query in [
            "limit=0",
            "limit=501",
            "limit=",
            "limit=x",
            "limit=-1",
            "limit=1&limit=1",
            "cursor=a&cursor=a",
        ] {
            assert!(Page::read(query).is_err(), "{query}");
        }
    }
}
